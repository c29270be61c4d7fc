package uring

import (
	"os"
	"unsafe"

	"c1000k/comet"

	"golang.org/x/sys/unix"
)

// peerRecords is the most single accepts outstanding that ask for the other
// end's address. The multishot accept, which is for the front door alone, can
// tell none: it has one place for all.
const peerRecords = 64

// peerRecord is where the kernel writes an accepted connection's address.
type peerRecord struct {
	raw    unix.RawSockaddrInet6 // the longest of those that matter
	length uint32
	next   uint32 // the next free record plus one
}

// peers are a loop's records, in memory outside the Go heap.
type peers struct {
	mem  region
	free uint32 // the first free record plus one
	// again is the address of a publisher whose slot's last connection has not
	// ended yet.
	again map[comet.Conn]comet.Peer
}

func (p *peers) open() (err error) {
	if p.mem, err = newRegion(os.Getpagesize()); err != nil {
		return err
	}
	for i := range uint32(peerRecords) {
		p.give(i)
	}
	p.again = map[comet.Conn]comet.Peer{}
	return nil
}

func (p *peers) at(i uint32) *peerRecord { return &cells[peerRecord](&p.mem)[i] }

// take hands out a record; false when all are out.
func (p *peers) take() (i uint32, ok bool) {
	if p.free == 0 {
		return 0, false
	}
	i = p.free - 1
	p.free = p.at(i).next
	*p.at(i) = peerRecord{length: unix.SizeofSockaddrInet6}
	return i, true
}

func (p *peers) give(i uint32) {
	p.at(i).next = p.free
	p.free = i + 1
}

// address and length are the record's as the kernel takes them.
func (p *peers) address(i uint32) (address uintptr, length uint64) {
	r := p.at(i)
	return uintptr(unsafe.Pointer(&r.raw)), uint64(uintptr(unsafe.Pointer(&r.length)))
}

// peer is the address as the core takes it; zero for one of a unix socket.
func (p *peers) peer(i uint32) (a comet.Peer) {
	r := p.at(i)
	switch r.raw.Family {
	case unix.AF_INET:
		a = comet.PeerOf4((*unix.RawSockaddrInet4)(unsafe.Pointer(&r.raw)).Addr)
	case unix.AF_INET6:
		a = r.raw.Addr
	}
	return a
}
