// Package turns measures what a message costs a server: the delivery to each
// subscriber and the taking of its next poll, beside the floor of the same run; or
// the delivery to each of many streams, which send nothing back.
//
// A cell is a fresh server with a fresh load. It holds its connections, gets some
// messages unmeasured and then the measured ones, one after the other: each goes
// out when the server has read the next polls of all. The server's CPU from before
// the first to after the last, by the sum over its threads, divided by the deliveries
// is the cell's figure; what asks the server whether it has read them is in it, a
// request or two a message. Cells follow each other in rounds, each in an order
// drawn by lot, so that neither what drifts nor what a cell leaves to the next falls on
// the same ones; the round is the repetition.
//
// The floor of a round is the cheapest of the bare loops of package floor, which
// send the same bytes to as many sockets and know nothing of them. Which of them
// that is, is decided by the medians, once for all rounds.
//
// Epoll is what io_uring is compared with, so whether it is as good as it gets is
// judged by its own floor of the same run ([Judge]), under every table.
package turns
