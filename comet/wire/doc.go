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
// row of proxies can see different requests in the same bytes. What it accepts,
// the reader of net/http accepts as the same one request, ending at the same
// byte, but for one or two empty lines before a request, which only the parser
// skips. What that reader accepts, the parser does too, apart from this list,
// which FuzzParse holds complete and a test row by row; each is refused and the
// connection closed:
//   - bare-lf: a line that ends in a line feed alone (400)
//   - folded: a header line that begins with a space or a tab (400)
//   - space-in-name: a space before the colon, or anywhere in a header's name (400)
//   - method-length: a method longer than any registered one (501)
//   - version: a version other than 1.0 and 1.1 (505)
//   - target-form: a target that is no path: a full URL or an authority, as sent
//     to a proxy, or an asterisk with another method than OPTIONS (400)
//   - fragment: a number sign in the target (400)
//   - host: none in HTTP/1.1, or one with what no host or port has (400)
//   - transfer-encoding: any: chunked alone (411), beside a Content-Length or in
//     HTTP/1.0 (400)
//   - expect: an expectation other than 100-continue (417)
//   - size: a header or a body over its limit (414, 431; 413)
//
// Refused by both, and so not listed: a bare CR, a control character or a NUL
// anywhere in the head, two Hosts, lengths that differ or are no digits, other
// transfer codings, a percent sign in a path that no two hexadecimal digits
// follow, white space before the first header line.
//
// # Caveats
//
// Paths are compared raw: /s%75b is not /sub here. A decoded value may hold a
// zero byte, where icomet's ends. Of the streaming modes nothing is here but
// the object itself.
package wire
