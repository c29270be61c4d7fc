package main

import (
	"context"
	"fmt"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// browser starts a headless Chromium with a profile of its own, which ends with
// the test. rules name other places for addresses (--host-resolver-rules).
func browser(t *testing.T, rules string) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skipf("there is no browser to test with: %v (apt-get install chromium)", err)
	}
	// What it makes in the folder for temporary files stays when it is ended.
	folder := t.TempDir()
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(filepath.Join(folder, "profile")), chromedp.Env("TMPDIR="+folder),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	if rules != "" {
		options = append(options, chromedp.Flag("host-resolver-rules", rules))
	}
	allocator, end := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(end)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	return ctx
}

// page is a page in a browser.
type page struct {
	t   *testing.T
	ctx context.Context
	who string
}

func (p page) do(action chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, action); err != nil {
		p.t.Fatalf("%s's page: %v", p.who, err)
	}
}

// eval is the value of a JavaScript expression.
func eval[T any](p page, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		p.t.Fatalf("%s's page: %s: %v", p.who, expression, err)
	}
	return v
}

// await waits until an expression has a value that fits.
func await[T any](p page, expression, wanted string, fits func(T) bool) {
	p.t.Helper()
	var got T
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if got = eval[T](p, expression); fits(got) {
			return
		}
	}
	p.t.Fatalf("%s's page: %s is %v, want %s", p.who, expression, got, wanted)
}

// openChat opens the demo.
func openChat(t *testing.T, s *server, browser context.Context, who, mode string) page {
	t.Helper()
	p := page{t, browser, who}
	p.do(chromedp.Navigate("http://" + s.debug + "/demo/?" + url.Values{"name": {who}, "mode": {mode}}.Encode()))
	p.inState("open")
	return p
}

// inState waits until the page says it is connected, or is not.
func (p page) inState(state string) {
	p.t.Helper()
	await(p, `document.getElementById('state').dataset.state || ''`, state, func(got string) bool { return got == state })
}

// says types a message and sends it.
func (p page) says(text string) {
	p.t.Helper()
	p.do(chromedp.SendKeys(chromedp.CSS("#text"), text+"\r"))
}

// shows waits until the page shows these messages and notes, and no others, in
// this order.
func (p page) shows(lines []string) {
	p.t.Helper()
	want := strings.Join(lines, "\n")
	await(p, `Array.from(document.querySelectorAll('#log li'), li => li.lastChild.textContent).join('\n')`, "\n"+want,
		func(got string) bool { return got == want })
}

const renewed = "The server began anew; what it had not yet delivered is lost."

// TestChat proves that two browsers talk by the demo, by server-sent events and
// by long-polls; that what was said while one of them was cut off comes to it
// once and in order, as far as the history holds it, and else is said to be
// lost; and that both go on when the server is restarted.
func TestChat(t *testing.T) {
	front := lowPort(t)
	cutter := newCutter(t, front)
	// Ann comes by the cutter, Bob directly.
	ann := browser(t, fmt.Sprintf("MAP %s %s", front, cutter.addr()))
	bob := browser(t, "")
	engines(t, func(t *testing.T, engine string) {
		for _, mode := range []string{"sse", "poll"} {
			t.Run(mode, func(t *testing.T) {
				testChat(t, cutter, front, ann, bob, engine, mode)
			})
		}
	})
}

func testChat(t *testing.T, cutter *cutter, front string, annsBrowser, bobsBrowser context.Context, engine, mode string) {
	defer cutter.mend()
	args := []string{"--demo", "--engine", engine}
	s := start(t, append([]string{"--front", front, "--admin", lowPort(t), "--debug", lowPort(t)}, args...)...)
	ann, bob := openChat(t, s, annsBrowser, "Ann", mode), openChat(t, s, bobsBrowser, "Bob", mode)
	both := []string{`<b onclick="x">5 > 3 & "so"</b>`, "yes \\ indeed, ü €"}
	ann.says(both[0])
	bob.shows(both[:1])
	bob.says(both[1])
	ann.shows(both)
	if n := eval[int](ann, `document.querySelectorAll('#log b').length`); n != 0 {
		t.Error("a message was taken for HTML")
	}

	cutter.cut()
	ann.inState("waiting")
	for i := range 3 {
		text := fmt.Sprintf("missed %d", i)
		bob.says(text)
		both = append(both, text)
		bob.shows(both)
	}
	cutter.mend()
	ann.shows(both)

	cutter.cut()
	ann.inState("waiting")
	hers, his := slices.Clone(both), both
	hers = append(hers, "No longer held: messages 6 to 9.")
	for i := 6; i < 20; i++ {
		text := fmt.Sprint("number ", i)
		s.get("http://" + s.admin + "/push?cname=chat-lobby&content=" + url.QueryEscape(text))
		his = append(his, text)
		if i >= 10 { // of which the history holds ten
			hers = append(hers, text)
		}
		bob.shows(his) // he must not fall behind the history himself
	}
	cutter.mend()
	ann.shows(hers)

	s = s.restart(args...)
	// They may be back already, or get this from the new history.
	s.get("http://" + s.admin + "/push?cname=chat-lobby&content=early")
	hers, his = append(hers, renewed, "early"), append(his, renewed, "early")
	ann.shows(hers)
	bob.shows(his)
	bob.says("again")
	hers, his = append(hers, "again"), append(his, "again")
	ann.shows(hers)
	ann.says("and again")
	bob.shows(append(his, "and again"))
	ann.shows(append(hers, "and again"))

	// As the next page would: with the place that this one came to.
	eval[any](ann, `subscription.close(), 0`)
	s.waitForInfo(`"subscribers": 1}`)
	s.get("http://" + s.admin + "/push?cname=chat-lobby&content=away")
	eval[any](ann, `got = [], resumed = Comet.subscribe({...subscription.o, ...subscription.position,
		onmessage: m => got.push(m.seq + m.content), onlost: l => got.push(l.reason)}), 0`)
	await(ann, `got.join()`, "4away", func(got string) bool { return got == "4away" })
	// Both are held again, so that the one who is left is Bob.
	s.waitForInfo(`"subscribers": 2}`)
	eval[any](ann, "resumed.close(), 0")
	s.waitForInfo(`"subscribers": 1}`)
	s.get("http://" + s.admin + "/close?cname=chat-lobby")
	bob.inState("closed")
	s.waitForInfo(`"subscribers": 0}`)
	// The next one takes its port.
	s.signal(syscall.SIGTERM)
	s.exit()
}

// TestChatWaitsForRoom proves that a client that is turned away with 429 comes
// back, and is let in when there is room.
func TestChatWaitsForRoom(t *testing.T) {
	s := start(t, "--demo", "--max-subscribers-per-channel", "1")
	first, second := browser(t, ""), browser(t, "")
	for _, mode := range []string{"sse", "poll"} {
		t.Run(mode, func(t *testing.T) {
			ann := openChat(t, s, first, "Ann", mode)
			bob := page{t, second, "Bob"}
			bob.do(chromedp.Navigate("http://" + s.debug + "/demo/?name=Bob&mode=" + mode))
			s.waitForInfo(`"subscribers": 1}`)
			bob.inState("waiting")
			eval[any](ann, "subscription.close(), 0")
			ann.says("there is room now") // her page shows it no more
			await(bob, `document.querySelectorAll('#log .other').length`, "a message", func(n int) bool { return n > 0 })
			eval[any](bob, "subscription.close(), 0")
			s.waitForInfo(`"subscribers": 0}`)
		})
	}
}
