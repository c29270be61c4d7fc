package wire

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// TestSeparatorsInCalls proves that no reply with a callback has a separator of
// lines or paragraphs, that an HTTP client reads it whole, and that its JSON says
// the same; and that a reply without one has them as they are.
func TestSeparatorsInCalls(t *testing.T) {
	for _, text := range []string{"", "x", "\u2028", "\u2029a\u2028\u2028", "\u2027\u202a\u20ac\u2028", "é\u2028\u2029"} {
		name := AppendEscaped(nil, []byte(text))
		ack, refused := AppendAck(nil, name, 1, 2), AppendRefused(nil, name, 429)
		for what, compose := range map[string]func(cb []byte) []byte{
			"sign":    func(cb []byte) []byte { return AppendSignBody(nil, Sign{EscName: name, Cb: cb}) },
			"push":    func(cb []byte) []byte { return AppendPushBody(nil, cb, ack) },
			"refused": func(cb []byte) []byte { return AppendPushRefusedBody(nil, cb, 429, refused) },
			"list":    func(cb []byte) []byte { return AppendListBody(nil, cb, AppendListed(nil, name, 1, 2), nil) },
			"poll": func(cb []byte) []byte {
				object := AppendObject(nil, KindData, name, 1, name)
				reply := AppendPollReply(nil, Head{Date: []byte(testDate), Minor: 1, KeepAlive: true}, cb, object)
				_, body := readReply(t, "GET", reply, false)
				return []byte(body)
			},
		} {
			plain := string(compose(nil))
			call := string(compose([]byte("f")))
			argument := strings.TrimSuffix(strings.TrimPrefix(call, "f("), ");\n")
			var want, got any
			if json.Unmarshal([]byte(plain), &want) != nil || json.Unmarshal([]byte(argument), &got) != nil {
				t.Fatalf("%s: %q and %q", what, plain, call)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %q is not %q", what, call, plain)
			}
			if strings.ContainsAny(call, "\u2028\u2029") {
				t.Errorf("%s: a separator in %q", what, call)
			}
			if !strings.Contains(plain, text) {
				t.Errorf("%s: %q is not as it was in %q", what, text, plain)
			}
		}
	}
}
