package enginetest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"c1000k/comet"
)

// client is one raw connection. Its methods return errors, so that they may
// be used from any goroutine; those that start with must are for the test's.
type client struct {
	conn Link
	in   *bufio.Reader
	raw  bool // replies are not masked
}

// Link is what a client needs of its connection; a TCP connection has it.
type Link interface {
	net.Conn
	CloseWrite() error
	SetLinger(seconds int) error
	SetWriteBuffer(bytes int) error
}

// Dialer is an engine that no socket leads to, as that of the simulator: clients
// reach it by Dial. from is the address of the client, "" any.
type Dialer interface {
	Dial(d comet.Door, from string) (Link, error)
}

// dial connects by a door, the first of the fronts.
func (s *server) dial(d comet.Door) (*client, error) { return s.dialFrom(d, 0, "") }

// dialFrom connects by a door, the i-th of the fronts, from an address of the
// loopback net, or any if it is empty.
func (s *server) dialFrom(d comet.Door, i int, from string) (*client, error) {
	if e, ok := s.engine.(Dialer); ok {
		c, err := e.Dial(d, from)
		if err != nil {
			return nil, err
		}
		return newClient(c)
	}
	addr := s.adminAddr
	if d == comet.DoorFront {
		addr = s.fronts[i%len(s.fronts)]
	}
	n := net.Dialer{Timeout: patience}
	if from != "" {
		n.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	c, err := n.Dial("tcp4", addr)
	if err != nil {
		return nil, err
	}
	return newClient(c)
}

func newClient(c net.Conn) (*client, error) {
	n := &client{conn: c.(Link), in: bufio.NewReaderSize(c, 512)}
	return n, n.patient()
}

// mustDial connects and closes when the test ends.
func (s *server) mustDial(d comet.Door) *client {
	s.t.Helper()
	c, err := s.dial(d)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.conn.Close() })
	return c
}

// get is the request for a path, the shortest that HTTP/1.1 permits.
func get(pathAndQuery string) string {
	return "GET " + pathAndQuery + " HTTP/1.1\r\nHost: h\r\n\r\n"
}

// sub is the request that waits for message seq of a channel.
func sub(channel string, seq int) string {
	return get("/sub?cname=" + channel + "&seq=" + strconv.Itoa(seq))
}

// patient gives what follows the whole of patience.
func (c *client) patient() error { return c.conn.SetDeadline(time.Now().Add(patience)) }

// send writes a request or a part of one.
func (c *client) send(p string) error {
	if err := c.patient(); err != nil {
		return err
	}
	_, err := io.WriteString(c.conn, p)
	return err
}

// do sends a request and reads its reply.
func (c *client) do(request string) (string, error) {
	if err := c.send(request); err != nil {
		return "", err
	}
	return c.reply()
}

// expect reads a reply and compares it.
func (c *client) expect(want string) error {
	got, err := c.reply()
	if err != nil {
		return fmt.Errorf("%w; so far %q, want %q", err, got, want)
	}
	if got != want {
		return fmt.Errorf("reply\n%q, want\n%q", got, want)
	}
	return nil
}

// ask sends a request and compares its reply.
func (c *client) ask(request, want string) error {
	if err := c.send(request); err != nil {
		return err
	}
	return c.expect(want)
}

func (c *client) mustSend(t testing.TB, p string) {
	t.Helper()
	if err := c.send(p); err != nil {
		t.Fatal(err)
	}
}

func (c *client) mustExpect(t testing.TB, want string) {
	t.Helper()
	if err := c.expect(want); err != nil {
		t.Fatal(err)
	}
}

func (c *client) mustAsk(t testing.TB, request, want string) {
	t.Helper()
	if err := c.ask(request, want); err != nil {
		t.Fatal(err)
	}
}

// mustEnd wants the end of the stream and not a byte before it.
func (c *client) mustEnd(t testing.TB) {
	t.Helper()
	if err := c.end(); err != nil {
		t.Fatal(err)
	}
}

// end reads the end of the stream, and wants nothing before it.
func (c *client) end() error {
	rest, err := io.ReadAll(c.in)
	if err != nil || len(rest) > 0 {
		return fmt.Errorf("want the end of the stream, got %q, %v", rest, err)
	}
	return nil
}

// mustKeep wants the connection to be there for one more request.
func (c *client) mustKeep(t testing.TB) {
	t.Helper()
	if err := c.send("GET /sub?cname=kept HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
		t.Fatalf("the connection was not kept: %v", err)
	}
	if got, err := c.reply(); err != nil || !strings.HasPrefix(got, "HTTP/1.1 ") {
		t.Fatalf("the connection was not kept: %q, %v", got, err)
	}
}

// silent listens for a while and says what came although nothing should have.
func (c *client) silent(d time.Duration) error {
	if err := c.conn.SetReadDeadline(time.Now().Add(d)); err != nil {
		return err
	}
	b, err := c.in.Peek(1)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("want silence, got %q, %v", b, err)
	}
	return c.patient()
}

// reply reads one whole reply and masks what differs from run to run. With an
// error it returns what had come.
func (c *client) reply() (string, error) { return c.replyTo("GET") }

// replyTo is reply for a request by any method: one to HEAD has no body.
func (c *client) replyTo(method string) (string, error) {
	if err := c.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	var got bytes.Buffer
	err := c.readReply(&got, method, -1)
	if c.raw {
		return got.String(), err
	}
	return mask(got.String()), err
}

// beginning reads the head of a reply without end, and its first chunks.
func (c *client) beginning(chunks int) (string, error) {
	if err := c.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	var got bytes.Buffer
	err := c.readReply(&got, "GET", chunks)
	return mask(got.String()), err
}

// readReply reads a reply to its end or, if chunks is not negative, so many
// chunks of it.
func (c *client) readReply(got *bytes.Buffer, method string, chunks int) error {
	chunked, length := false, -1
	for {
		line, err := c.in.ReadString('\n')
		got.WriteString(line)
		if err != nil {
			return err
		}
		if line == "\r\n" {
			break
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\r\n"), ": ")
		switch name {
		case "Transfer-Encoding":
			chunked = value == "chunked"
		case "Content-Length":
			if length, err = strconv.Atoi(value); err != nil {
				return fmt.Errorf("content length: %w", err)
			}
		}
	}
	switch {
	case method == "HEAD":
		return nil
	case chunked:
		return c.readChunks(got, chunks)
	case length >= 0:
		_, err := io.CopyN(got, c.in, int64(length))
		return err
	}
	_, err := io.Copy(got, c.in)
	return err
}

func (c *client) readChunks(got *bytes.Buffer, most int) error {
	for n := 0; n != most; n++ {
		line, err := c.in.ReadString('\n')
		got.WriteString(line)
		if err != nil {
			return err
		}
		size, err := strconv.ParseUint(strings.TrimSuffix(line, "\r\n"), 16, 31)
		if err != nil {
			return fmt.Errorf("chunk size: %w", err)
		}
		if _, err := io.CopyN(got, c.in, int64(size)+2); err != nil {
			return err
		}
		if size == 0 {
			return nil
		}
	}
	return nil
}

var (
	dateLine   = regexp.MustCompile(`(?m)^Date: (.*)\r$`)
	cursorText = regexp.MustCompile(`"next":"[0-9a-f]{16}"`)
	tokenText  = regexp.MustCompile(`"token":"[0-9a-f]{32}"`)
	framePage  = regexp.MustCompile(`(?s)1cd\r\n<!DOCTYPE html>.*charset="utf-8".*document\.domain.*<body>\n\r\n`)
	serverLine = regexp.MustCompile(`(?m)^Server: (\S+) ` + regexp.QuoteMeta(testVersion) + `\r$`)
)

// dateForm is the one form of a date that HTTP permits to write.
const dateForm = "Mon, 02 Jan 2006 15:04:05 GMT"

// maskedToken stands for a token, and is as long as one.
const maskedToken = "<32 hexadecimal digits of token>"

// maskedCursor stands for the cursor of a list's next page, and is as long as one.
const maskedCursor = "<16 hex digits.>"

// mask replaces a date that is well formed and of today, and the server's
// name where the version is right. What is wrong stays, and so differs.
func mask(reply string) string {
	head, body, found := strings.Cut(reply, "\r\n\r\n")
	if !found {
		return reply
	}
	head = dateLine.ReplaceAllStringFunc(head+"\r\n", func(line string) string {
		value := strings.TrimSuffix(strings.TrimPrefix(line, "Date: "), "\r")
		at, err := time.Parse(dateForm, value)
		if err != nil || time.Since(at).Abs() > 24*time.Hour {
			return line
		}
		return "Date: <date>\r"
	})
	head = serverLine.ReplaceAllString(head, "Server: <server>\r")
	body = tokenText.ReplaceAllString(body, `"token":"`+maskedToken+`"`)
	body = cursorText.ReplaceAllString(body, `"next":"`+maskedCursor+`"`)
	return head + "\r\n" + framePage.ReplaceAllString(body, "<page>")
}
