package proxy

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"c1000k/experiments/sample"
)

// TestRender proves that the recommended configuration gets a test's addresses,
// and that without TLS nothing of it is left.
func TestRender(t *testing.T) {
	text, err := os.ReadFile("../../scripts/nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	c := Config{Listen: "127.0.0.1:1", TLS: true, Upstream: []string{"127.0.0.1:2", "127.0.0.1:3"}}
	secure, err := Render(string(text), c)
	if err != nil {
		t.Fatal(err)
	}
	c.TLS = false
	plain, err := Render(string(text), c)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"listen 127.0.0.1:1 ssl http2;", "server 127.0.0.1:2 max_fails=0;\n        server 127.0.0.1:3 max_fails=0;\n        #", "ssl_certificate cert.pem;"} {
		if !strings.Contains(secure, line) {
			t.Errorf("with TLS there is no %q", line)
		}
	}
	if strings.Contains(secure, ":81") {
		t.Error("one of the file's own servers is left")
	}
	if !strings.Contains(plain, "listen 127.0.0.1:1;") || strings.Contains(plain, "\n        ssl_") {
		t.Errorf("without TLS:\n%s", plain)
	}
	if _, err := Render("http {}", c); err == nil {
		t.Error("a configuration without a place for the addresses is taken")
	}
}

// TestTable proves that a table shows the medians of the last step alone, and
// what is more than without the proxy.
func TestTable(t *testing.T) {
	var readings []Reading
	for rep, extra := range []int64{100, 300, 200} {
		for _, held := range []int{1, 10} {
			n := int64(held)
			if held == 1 {
				n = 1000 // not shown
			}
			readings = append(readings,
				Reading{Path: Direct, Mode: "sse", Repetition: rep, Held: held, Server: 5 * n, Kernel: sample.KernelDelta{Bytes: extra * n}},
				Reading{Path: TLS, Mode: "sse", Repetition: rep, Held: held, Nginx: 7 * n, Server: 5 * n, Kernel: sample.KernelDelta{Bytes: 2 * extra * n}})
		}
	}
	var b bytes.Buffer
	Table(&b, readings)
	for _, line := range []string{
		"| sse | direct | 0 (0 to 0) | 5 (5 to 5) | 200 (100 to 300) | 205 (105 to 305) | 0 |\n",
		"| sse | tls | 7 (7 to 7) | 5 (5 to 5) | 400 (200 to 600) | 412 (212 to 612) | 207 |\n",
	} {
		if !strings.Contains(b.String(), line) {
			t.Errorf("no line %q in:\n%s", line, b.String())
		}
	}
}
