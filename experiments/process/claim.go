package process

import (
	"fmt"
	"net"
	"sync"
)

// claims are the ranges of ports that this process has claimed, for its life.
var claims = struct {
	sync.Mutex
	held map[int]net.Listener
}{held: map[int]net.Listener{}}

// claim has other experiments on this machine leave a range of ports to this process:
// between the look whether they are free and the server that listens there, they
// might find them free as well. It is a socket with a name in the kernel alone, which
// is gone with the process. What is claimed stays so, for the servers that follow.
func claim(base int) error {
	claims.Lock()
	defer claims.Unlock()
	if claims.held[base] != nil {
		return nil
	}
	l, err := net.Listen("unix", fmt.Sprintf("@c1000k/doors/%d", base))
	if err != nil {
		return err
	}
	claims.held[base] = l
	return nil
}
