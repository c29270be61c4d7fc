package uring

// A request's user data is the engine's whole memory of it: what was asked,
// for which slot, in which life of that slot. It is never an address.
//
//	63    60 59        44 43               20 19              0
//	+-------+------------+-------------------+----------------+
//	|  op   | generation |        aux        |      slot      |
//	+-------+------------+-------------------+----------------+
type userData uint64

const (
	slotBits = 20 // the kernel's own limit of a direct table is 1<<20
	auxBits  = 24
	genBits  = 16

	maxSlots = 1 << slotBits
	maxAux   = 1 << auxBits

	auxShift = slotBits
	genShift = auxShift + auxBits
	opShift  = genShift + genBits
)

// request is the kind of a submission.
type request uint8

const (
	reqPoll      request = iota + 1 // poll of a connection
	reqRecv                         // receive of a connection; aux is the buffer where the engine names it
	reqSend                         // send or sendmsg; aux is the send record
	reqClose                        // close of a direct descriptor
	reqCancel                       // cancel of another request, which see cancelOf; only failures complete
	reqAccept                       // multishot accept; slot is the listener's number
	reqAcceptOne                    // single accept; slot is the listener's number, for aux see single
	reqListen                       // one-shot poll of a listener
	reqWake                         // multishot poll of the loop's own eventfd
	reqDiscard                      // receive of what is thrown away before a close
	reqChild                        // read of a child ring's eventfd; slot is the ring's number
	reqEpoll                        // wait of the loop's epoll instance
)

func tag(op request, gen uint16, aux, slot uint32) userData {
	return userData(op)<<opShift | userData(gen)<<genShift | userData(aux)<<auxShift | userData(slot)
}

func (u userData) op() request  { return request(u >> opShift) }
func (u userData) gen() uint16  { return uint16(u >> genShift) }
func (u userData) aux() uint32  { return uint32(u>>auxShift) & (maxAux - 1) }
func (u userData) slot() uint32 { return uint32(u) & (maxSlots - 1) }

// A cancel has the slot and the generation of what it is for, whose kind stands in the
// upper bits of its aux.
const (
	cancelKindShift = auxBits - 4
	mostCancelAux   = 1<<cancelKindShift - 1
)

// cancelOf is the user data of a cancel of u.
func cancelOf(u userData) userData {
	return tag(reqCancel, u.gen(), uint32(u.op())<<cancelKindShift|u.aux()&mostCancelAux, u.slot())
}

// cancels is the kind of what a cancel is for.
func (u userData) cancels() request { return request(u.aux() >> cancelKindShift) }
