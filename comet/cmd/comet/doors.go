package main

import (
	"fmt"
	"io"
	"strings"

	"c1000k/comet"
	"c1000k/comet/doors"
)

// noDoor is the value of --debug for no debug door.
const noDoor = "none"

// maxAddrsShown is the most addresses of a door that a log line spells out.
const maxAddrsShown = 4

// checkDoors parses the doors' addresses and refuses two doors on one of them.
func (o *options) checkDoors() error {
	taken := map[string]string{}
	for _, d := range []struct{ flag, spec string }{
		{"front", o.Front}, {"admin", o.Admin}, {"debug", o.Debug},
	} {
		if d.flag == "debug" && d.spec == noDoor {
			continue
		}
		endpoints, err := doors.Parse(d.spec)
		if err != nil {
			return o.bad(d.flag, d.spec, "%w", err)
		}
		for _, e := range endpoints {
			if e.Path == "" && e.Addr.Port() == 0 {
				continue
			}
			if other, ok := taken[e.String()]; ok && other != d.flag {
				return o.bad(d.flag, d.spec, "%s is a door of --%s already", e, other)
			}
			taken[e.String()] = d.flag
		}
		if d.flag != "debug" {
			o.listeners += len(endpoints)
		}
	}
	return o.checkDemo()
}

// openDoor is a door that is open.
type openDoor struct {
	io.Closer
	listeners []comet.Listener
}

// listen opens the listeners of one flag. They belong to the process's shared
// descriptor table, so it must run before an engine gives threads their own.
func listen(flag, spec string, door comet.Door) (openDoor, error) {
	l, closer, err := doors.Listen(spec, door, 0)
	if err != nil {
		return openDoor{}, refuseListen("--%s: %w", flag, err)
	}
	return openDoor{closer, l}, nil
}

// addrs are the addresses listened on, with the ports that the kernel chose.
func (d openDoor) addrs() []string {
	var a []string
	for _, l := range d.listeners {
		a = append(a, l.Addr)
	}
	return a
}

// brief names the addresses on one line.
func (d openDoor) brief() string {
	a := d.addrs()
	if len(a) <= maxAddrsShown {
		return strings.Join(a, ",")
	}
	return fmt.Sprintf("%s to %s (%d listeners)", a[0], a[len(a)-1], len(a))
}
