// Package wire turns bytes into requests and replies into bytes: HTTP/1.0 and
// 1.1, urlencoded parameters, the message objects, long-poll and JSONP framing.
//
// Everything here is a pure function over memory that the caller owns. Nothing
// reads a clock or a descriptor, keeps a reference to its input, or starts a
// goroutine, so every function may be called from any thread at any time.
// Nothing allocates, as long as the caller's destination has room: the Append
// functions grow a short destination as the builtin append does, and the size
// functions ([PollReplySize], [ObjectSize]) say how much room is enough.
//
// # Replies
//
// Replies are byte-compatible with icomet 0.2.5, down to the order of the
// header lines, which is that of the HTTP library under it: lines that the
// server sets itself come first, then Date, then Content-Length, then a default
// Content-Type, then Connection: close. testdata/icomet-replies.txt holds the
// recordings, and a test composes each again.
//
// Where this package differs on purpose:
//   - a long-poll answered over HTTP/1.0 always ends with the connection, even
//     where the client asked to keep it: icomet announces a Content-Length of 0
//     there and then sends a body;
//   - a name is escaped inside an object, and content is escaped in all that
//     JSON requires, not in four characters;
//   - a parameter without '=' is ignored; it does not void the whole query;
//   - the page under a refusal is shorter.
//
// # Requests
//
// The parser takes less than the standards allow, so that no two programs in a
// row of proxies can see different requests in the same bytes: no bare CR or
// LF, no folded header lines, no space before a colon, exactly one Host in
// HTTP/1.1, no Transfer-Encoding at all, one Content-Length of digits. A target
// is a path (or, for OPTIONS, an asterisk): a full URL or an authority, as sent
// to a proxy, is refused with 400. So is a fragment, and a percent sign in a
// path that no two hexadecimal digits follow.
//
// # Caveats
//
// Paths are compared raw: /s%75b is not /sub here. A decoded value may hold a
// zero byte, where icomet's ends. Of the streaming modes nothing is here but
// the object itself.
package wire
