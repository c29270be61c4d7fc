// Package hub keeps the channels: their names, sequence numbers, histories,
// presence and expiry, and the inboxes by which a message reaches the loops
// that hold subscribers.
//
// # Who may touch what
//
// A channel belongs to one of 64 stripes, by its name, and every field of it
// is guarded by the stripe's lock. A View is a channel with its stripe locked;
// no code holds two. Under a stripe an inbox may be locked, and the arenas'
// own locks, never the other way round; nothing waits, writes to a kernel
// object or allocates Go memory under either.
//
// # No miss, no repeat
//
// Subscribing tests the client's number against the channel's next, and takes
// a place in the loop's list, in one hold of the stripe; publishing numbers
// the message, stores it and puts it into the inbox of every loop that holds
// subscribers, in another. So a subscriber either finds the message in the
// history or its loop finds it in the inbox. Which of a loop's subscribers are
// due is decided there, by their own next number. Who subscribes to several
// channels is a subscriber of each: they are joined one after the other, with one
// stripe locked at a time, and what comes to the first while the next is looked
// at lies in the inbox. No moment is seen at all channels.
//
// # What keeps a channel
//
// A channel is freed by the sweep alone, under its stripe, when nobody holds
// it, no inbox entry and no walk refers to it (refs) and its time has passed.
//
// Caveats: 64 loops at most (a mask of 64 bits); an inbox that is full marks
// its loop as behind, which then reads the histories again: what a history no
// longer holds is then lost to a subscriber, as it is to one that polls late.
package hub
