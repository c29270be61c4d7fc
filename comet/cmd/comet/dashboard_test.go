package main

import (
	"fmt"
	"net"
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestDashboard proves that the page at the debug door's root shows a browser what
// /metrics has, says so where it is old, and takes no other path's place.
func TestDashboard(t *testing.T) {
	ctx := browser(t, "")
	s := start(t, "--engine", "epoll")
	if resp, err := http.Get("http://" + s.debug + "/nowhere"); err != nil || resp.StatusCode != http.StatusNotFound {
		t.Errorf("/nowhere: %v, %v", resp, err)
	} else {
		resp.Body.Close()
	}
	held, err := net.Dial("tcp", s.front)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	fmt.Fprintf(held, "GET /sub?cname=news&seq=1 HTTP/1.1\r\nHost: h\r\n\r\n")
	s.waitForInfo(`"subscribers": 1}`)
	p := page{t, ctx, "the operator"}
	p.do(chromedp.Navigate("http://" + s.debug + "/"))
	row := func(table, what, want string) {
		t.Helper()
		await(p, `[...document.querySelectorAll('#`+table+` tr')].filter(r => r.cells[0].textContent === '`+what+`').map(r => r.cells[1].textContent).join()`,
			what+" "+want, func(got string) bool { return got == want })
	}
	row("now", "subscribers", "1")
	row("now", "connections: poll", "1")
	row("rates", "messages published", "0")
	s.stopHolding(held, `"type":"noop","cname":"news"`)
	await(p, `document.getElementById('state').className`, "old", func(got string) bool { return got == "old" })
}
