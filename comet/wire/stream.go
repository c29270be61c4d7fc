package wire

import "strconv"

// Mode is how a subscriber is served.
type Mode uint8

// The modes of the front door. All but the first are streams: one response
// without end, a piece of it for each object.
const (
	ModePoll   Mode = iota // one response for each poll
	ModeStream             // an object a line
	ModeIframe             // a script element an object, in a page without end
	ModeSSE                // an event an object, for EventSource
)

// Streams reports whether the response goes on after the first object.
func (m Mode) Streams() bool { return m != ModePoll }

// contentType is the line of a mode's head, with what stands beside it. An
// EventSource of another origin always needs leave to read.
func (m Mode) contentType() string {
	switch m {
	case ModeIframe:
		return "Content-Type: text/html; charset=utf-8\r\n"
	case ModeSSE:
		return "Content-Type: text/event-stream; charset=utf-8\r\n"
	}
	return "Content-Type: application/json; charset=utf-8\r\n"
}

// iframePage begins an iframe's body: 460 bytes and a line feed, as many as
// the recording has, since what comes after it is counted in chunks.
var iframePage = []byte(`<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<meta http-equiv="Cache-Control" content="no-cache, no-store, must-revalidate">
<meta http-equiv="Expires" content="0">
<title>c1000k</title>
<script>
// The page that holds this frame may be of another host of the same domain.
var labels = document.domain.split('.');
if (labels.length > 2) {
  document.domain = labels.slice(-2).join('.');
}
</script>
</head>
<!-- a message is a script element -->
<body>
`)

// sseRetry tells an EventSource, once, to come back after three seconds.
var sseRetry = []byte("retry: 3000\n\n")

// AppendStreamStart appends what a mode sends before its first object, behind
// the head: nothing for ModeStream.
func AppendStreamStart(dst []byte, m Mode, minor uint8) []byte {
	var start []byte
	switch m {
	case ModeIframe:
		start = iframePage
	case ModeSSE:
		start = sseRetry
	}
	return AppendChunk(dst, start, minor)
}

const (
	scriptHead = "<script>parent.icomet_cb("
	scriptTail = ");</script>\n"
	eventData  = "data: "
	eventID    = "id: "
	eventTail  = "\n\n"
)

// NoID is the number of an event after which a client goes on from where it was.
const NoID = -1

// AppendFrame appends one object of a stream, as one chunk for HTTP/1.1. had is
// the number of the last message that a client has had with it, which an
// EventSource remembers and goes on from; NoID for none.
func AppendFrame(dst []byte, m Mode, minor uint8, had int64, object []byte) []byte {
	if m != ModeSSE || had == NoID {
		return AppendFrameWithID(dst, m, minor, nil, object)
	}
	var id [maxIntBytes]byte
	return AppendFrameWithID(dst, m, minor, strconv.AppendInt(id[:0], had, 10), object)
}

// AppendFrameWithID is AppendFrame with an id that the caller composed, of
// several channels: see [AppendEventID]. An empty one is none.
func AppendFrameWithID(dst []byte, m Mode, minor uint8, id, object []byte) []byte {
	head, tail := "", "\n"
	size := len(object)
	switch m {
	case ModeIframe:
		head, tail = scriptHead, scriptTail
		size = scriptLen(object)
	case ModeSSE:
		head, tail = eventData, eventTail
		if len(id) > 0 {
			size += len(eventID) + len(id) + 1
		}
	}
	if minor == 1 {
		dst = appendChunkSize(dst, len(head)+size+len(tail))
	}
	if m == ModeSSE && len(id) > 0 {
		dst = append(dst, eventID...)
		dst = append(dst, id...)
		dst = append(dst, '\n')
	}
	dst = append(dst, head...)
	if m == ModeIframe {
		dst = appendScript(dst, object)
	} else {
		dst = append(dst, object...)
	}
	dst = append(dst, tail...)
	if minor == 1 {
		dst = append(dst, crlf...)
	}
	return dst
}
