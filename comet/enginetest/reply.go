package enginetest

import (
	"fmt"
	"strconv"
	"strings"
)

// The replies as recorded: every header in its place. They are spelled out
// here once and composed below, so that a case shows what is its own.

const (
	subscribeHead = "HTTP/1.1 200 OK\r\n" +
		"Expires: 0\r\n" +
		"Cache-Control: no-cache\r\n" +
		"Content-Type: application/json; charset=utf-8\r\n" + allowAll
	// allowAll stands in every reply of the front door, where the recording has
	// it in server-sent events alone.
	allowAll   = "Access-Control-Allow-Origin: *\r\n"
	keptTail   = "Connection: keep-alive\r\nTransfer-Encoding: chunked\r\nDate: <date>\r\n\r\n"
	closedTail = "Transfer-Encoding: chunked\r\nDate: <date>\r\nConnection: close\r\n\r\n"
	inBandTail = "Transfer-Encoding: chunked\r\nDate: <date>\r\n\r\n"
)

// chunked is a body of one chunk.
func chunked(body string) string {
	return fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)
}

// polled is the reply of a long-poll on a connection that is kept.
func polled(body string) string { return subscribeHead + keptTail + chunked(body) }

// polledAndClosed is the same where the client asked to close.
func polledAndClosed(body string) string { return subscribeHead + closedTail + chunked(body) }

// polledInBand is an error inside a reply of 200.
func polledInBand(body string) string { return subscribeHead + inBandTail + chunked(body) }

// polled10 is the reply to HTTP/1.0: its body ends with the connection.
func polled10(body string) string {
	return strings.Replace(subscribeHead, "HTTP/1.1", "HTTP/1.0", 1) + "Connection: keep-alive\r\n\r\n" + body
}

// object is a message, its name and content as they stand in JSON.
func object(kind, name string, seq int, content string) string {
	return `{"type":"` + kind + `","cname":"` + name + `","seq":` + strconv.Itoa(seq) + `,"content":"` + content + `"}`
}

func data(name string, seq int, content string) string { return object("data", name, seq, content) }

func nextSeq(name string, seq int) string { return object("next_seq", name, seq, "") }

// array is a replay.
func array(objects ...string) string { return "[" + strings.Join(objects, ",") + "]\n" }

// broadcasted is a broadcast as a held long-poll gets it.
func broadcasted(name string, seq int, content string) string {
	return array(object("broadcast", name, seq, content), nextSeq(name, seq+1))
}

// wrapped is a body inside a JSONP callback.
func wrapped(callback, body string) string {
	return callback + "(" + strings.TrimSuffix(body, "\n") + ");\n"
}

// adminReply is what the admin door says; its Date stands before the length.
func adminReply(contentType, body string) string { return adminTyped("200 OK", contentType, body) }

// adminTyped is adminReply of any status.
func adminTyped(status, contentType, body string) string {
	return "HTTP/1.1 " + status + "\r\nServer: <server>\r\nContent-Type: " + contentType +
		"\r\nDate: <date>\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
}

const (
	typeScript = "text/javascript; charset=utf-8"
	typeHTML   = "text/html; charset=utf-8"
	typeJSON   = "application/json; charset=utf-8"
	typeLatin  = "text/html; charset=ISO-8859-1"
)

// adminBare is a reply of the admin door in which nobody chose a type: the
// type comes last then.
func adminBare(status, body string) string {
	return "HTTP/1.1 " + status + "\r\nServer: <server>\r\nDate: <date>\r\nContent-Length: " +
		strconv.Itoa(len(body)) + "\r\nContent-Type: " + typeLatin + "\r\n\r\n" + body
}

// frontBare is a reply of the front door that is no poll's.
func frontBare(status, body string) string {
	return "HTTP/1.1 " + status + "\r\n" + allowAll + "Date: <date>\r\nContent-Length: " + strconv.Itoa(len(body)) +
		"\r\nContent-Type: " + typeLatin + "\r\n\r\n" + body
}

// frontClosed is a refusal of the front door without a body, behind which the
// connection ends.
func frontClosed(status string) string {
	return strings.Replace(frontBare(status, ""), "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1)
}

// pushed is the answer to /push and /pub.
var pushed = adminReply(typeScript, "{\"type\":\"ok\"}\n")
