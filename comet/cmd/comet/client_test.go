package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/chromedp/chromedp"
)

// fakeFront serves comet.js, and a front door that lets in who has the token
// "good", and one, /mute, that never says anything.
func fakeFront(t *testing.T) *httptest.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `<!DOCTYPE html><link rel="icon" href="data:,"><script src="comet.js"></script>`)
	})
	mux.HandleFunc("/comet.js", func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, web, "web/comet.js") })
	answer := func(w http.ResponseWriter, r *http.Request, before, after string) {
		object := `{"type":"401","cname":"c","seq":0,"content":"Token error"}`
		if r.FormValue("token") == "good" {
			object = `{"type":"data","cname":"c","seq":7,"content":"in"}`
		}
		fmt.Fprint(w, before, object, after)
	}
	mux.HandleFunc("/sub", func(w http.ResponseWriter, r *http.Request) { answer(w, r, "", "\n") })
	mux.HandleFunc("/sse", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		answer(w, r, "data: ", "\n\n")
	})
	mux.HandleFunc("/mute/", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// TestClient proves what the client does where the server is not at fault, or
// says nothing: it gives up on a token that is refused, unless it can ask for
// another; it takes a silent connection for dead; and what the application
// throws does not end it.
func TestClient(t *testing.T) {
	p := page{t, browser(t, ""), "the"}
	p.do(chromedp.Navigate(fakeFront(t).URL))
	for _, mode := range []string{"sse", "poll"} {
		subscribe := func(options string) {
			eval[any](p, fmt.Sprintf(`states = [], got = [], asked = 0, sub = Comet.subscribe({url: '/', channel: 'c', mode: %q, retryMin: 1,
				onstate: (s, d) => states.push(s + (d.reason ? ' ' + d.reason : '')), onmessage: m => { got.push(m.seq + m.content); sub.close(); }, %s}), 0`, mode, options))
		}
		is := func(want string) func(string) bool { return func(got string) bool { return got == want } }

		subscribe(`token: 'bad'`)
		await(p, `states.at(-1)`, "denied", is("denied"))

		subscribe(`token: async () => ++asked < 3 ? 'bad' : 'good'`)
		await(p, `got.join()`, "the message", is("7in"))
		if n := eval[int](p, "asked"); n != 3 {
			t.Errorf("%s: the client asked for a token %d times, want 3", mode, n)
		}

		subscribe(`token: 'good', onmessage: m => { got.push(m.seq); if (got.length < 3) throw new Error('the application is at fault'); sub.close(); }`)
		await(p, `got.length`, "3", func(n int) bool { return n == 3 })

		subscribe(`url: '/mute', silence: 20`)
		await(p, `states.filter(s => s === 'waiting silence').length`, "twice at least", func(n int) bool { return n >= 2 })
		eval[any](p, "sub.close(), 0")
	}
}
