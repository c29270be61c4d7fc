package replies

import (
	"strings"
	"testing"
)

// TestPosition proves that a position is read as it was sent, wherever its lines
// stand, and that one which cannot be sent back is an error.
func TestPosition(t *testing.T) {
	const start, end = "HTTP/1.1 200 OK\r\nDate: Sat, 28 Nov 2026 16:44:10 GMT\r\n", "Vary: If-None-Match\r\n\r\n"
	for _, test := range []struct{ lines, modified, etag string }{
		{"Etag: 1795884250:12\r\n", "", "1795884250:12"},
		{"Last-Modified: Sat, 28 Nov 2026 16:44:10 GMT\r\nConnection: keep-alive\r\nEtag: 0\r\n", "Sat, 28 Nov 2026 16:44:10 GMT", "0"},
		{"ETAG:\"1\"\r\nlast-modified:x\r\n", "x", `"1"`},
		{"Etags: 7\r\nExpires: 0\r\nEtag: [1],2,-1\r\n", "", "[1],2,-1"},
	} {
		modified, etag, err := Position([]byte(start + test.lines + end))
		if err != nil || string(modified) != test.modified || string(etag) != test.etag {
			t.Errorf("%q: %q, %q, %v", test.lines, modified, etag, err)
		}
	}
	for _, lines := range []string{
		"", "Last-Modified: x\r\n", "Etag:\r\n", "Etag: \r\n", "Etag: 1\r\nEtag: 1\r\n", "Etag: 1\x00\r\n", "Etag: 1\rX: y\r\n", "Etag: \xff\r\n",
		"Etag: " + strings.Repeat("1", MostPositionBytes+1) + "\r\n",
		"Etag: 1\r\nLast-Modified: " + strings.Repeat("x", MostPositionBytes+1) + "\r\n",
		"Etag: 1\r\nLast-Modified: a\r\nLast-Modified: b\r\n", "X-Etag: 1\r\n",
	} {
		if modified, etag, err := Position([]byte(start + lines + end)); err == nil {
			t.Errorf("%q is taken: %q, %q", lines, modified, etag)
		}
	}
}

// FuzzPosition proves that whatever a head holds, what is taken of it can be sent
// back: it is short and has no line end.
func FuzzPosition(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nEtag: 1\r\nLast-Modified: x\r\n\r\n"))
	f.Add([]byte("etag"))
	f.Add([]byte("etag:"))
	f.Fuzz(func(t *testing.T, head []byte) {
		modified, etag, err := Position(head)
		if err != nil {
			return
		}
		if len(etag) == 0 || len(etag) > MostPositionBytes || len(modified) > MostPositionBytes {
			t.Fatalf("%q, %q", modified, etag)
		}
		if strings.ContainsAny(string(modified)+string(etag), "\r\n\x00") {
			t.Fatalf("%q, %q", modified, etag)
		}
	})
}
