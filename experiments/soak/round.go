package soak

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"c1000k/experiments/load/rawnet"
	"c1000k/experiments/process"
	"c1000k/experiments/sample"
)

// The phases of a round.
const (
	phaseCome   int32 = iota // clients come; publishers publish already
	phaseChurn               // they come and go
	phaseSettle              // nobody publishes or leaves: every client comes to the last message
	phaseLeave               // all leave
	phaseEnd                 // and who has not is closed
)

// Patience of a round with itself, on a machine that has much else to do. Where
// something moves it begins anew.
const (
	movePatience  = time.Minute
	emptyPatience = time.Minute // and the channels' timeout
	lookPause     = 100 * time.Millisecond
	leavePatience = 2 * halfPatience
)

// round is one server and all that is done to it.
type round struct {
	o       Options
	name    string
	engine  string
	tokens  bool
	began   time.Time
	server  *process.Server
	fronts  []rawnet.Addr
	admin   *http.Client
	watches []*watcher

	channels   []*channel
	reactors   []*reactor
	ownTables  bool
	phase      atomic.Int32
	broadcasts atomic.Uint64 // begun
	faults     *faults
	n          tally
	seen       sight
}

// sight is what was seen of the server from outside.
type sight struct {
	empty, end                                     metrics
	startResident, peakResident, endResident       uint64
	peakSubscribers, peakConnections, peakChannels float64
}

func newRound(o Options, engine string, tokens bool) *round {
	s := &round{o: o, name: engine, engine: engine, tokens: tokens, began: time.Now(), faults: newFaults()}
	if tokens {
		s.name += "-tokens"
	}
	return s
}

// churns says whether clients come and go.
func (s *round) churns() bool { return s.phase.Load() == phaseChurn }

// run is one round. An error means that it could not be held; what went wrong in
// it is in faults.
func (s *round) run(ctx context.Context, doors process.Doors) (err error) {
	logPath := filepath.Join(s.o.Logs, "server-"+s.name+".log")
	auth := "none"
	if s.tokens {
		auth = "token"
	}
	s.server, err = process.StartServer(ctx, s.o.Server, doors, logPath,
		"--engine="+s.engine, "--auth="+auth,
		"--channels="+strconv.Itoa(4*s.o.Connections), "--max-connections="+strconv.Itoa(2*s.o.Connections+1000),
		"--channel-buffer-size="+strconv.Itoa(history),
		"--channel-timeout="+s.o.channelTimeout().String(), "--polling-timeout="+pollingTimeout.String(),
		"--header-timeout="+headerTimeout.String(), "--drain-timeout=1s", "--stall-timeout="+stallTimeout.String(),
		"--seed="+strconv.FormatUint(s.o.Seed, 10))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.server.Stop(s.o.Force)) }()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-s.server.Ended():
			cancel(s.server.Death())
		case <-ctx.Done():
		}
	}()
	if err := s.prepare(ctx); err != nil {
		return err
	}
	err = s.phases(ctx)
	s.phase.Store(phaseEnd)
	for _, r := range s.reactors {
		if r.thread != nil {
			r.thread.Wait()
		}
	}
	if err != nil {
		return errors.Join(err, context.Cause(ctx))
	}
	return s.emptied(ctx)
}

// prepare reads the empty server and makes channels and clients.
func (s *round) prepare(ctx context.Context) (err error) {
	// Whether it answers yet was asked on a connection that may not be over.
	for began := time.Now(); ; {
		if s.seen.empty, err = readMetrics(ctx, s.server); err != nil {
			return err
		}
		if s.seen.empty.connections() == 0 {
			break
		}
		if time.Since(began) > emptyPatience {
			return errors.New("the server has connections before anybody came")
		}
		if err := s.pause(ctx, lookPause); err != nil {
			return err
		}
	}
	if s.seen.startResident, err = sample.Resident(s.server.PID()); err != nil {
		return err
	}
	s.admin = &http.Client{Timeout: adminPatience, Transport: &http.Transport{MaxIdleConnsPerHost: publishers + 1}}
	host, err := netip.ParseAddr(s.server.Doors.Host)
	if err != nil {
		return err
	}
	for port := s.server.Doors.FirstPort; port <= s.server.Doors.LastPort; port++ {
		s.fronts = append(s.fronts, rawnet.NewAddr(host, port))
	}
	for i := range max(s.o.Connections/perChannel, 2*publishers) {
		s.channels = append(s.channels, &channel{name: fmt.Sprintf("c%d", i), closable: i%4 == 3})
	}
	return s.makeClients()
}

// makeClients draws what each client is, and lays them out on threads.
func (s *round) makeClients() error {
	threads, own, err := s.o.layout()
	if err != nil {
		return err
	}
	s.ownTables = own
	for i := range threads {
		s.reactors = append(s.reactors, &reactor{s: s, stride: threads, random: s.random(uint64(i))})
	}
	random := s.random(1000)
	for id := range s.o.Connections {
		r := s.reactors[id%threads]
		c := &client{id: id, mode: mode(random.IntN(int(numModes))), slow: random.IntN(20) == 0}
		switch draw := random.IntN(100); {
		case id%torrentPart == 0 && id/torrentPart < mostTorrent: // of the channel with long contents
			c.ch, c.slow, c.mode = s.channels[0], true, modeStream+mode(random.IntN(int(numModes-modeStream)))
		case draw < 5: // of one channel, which is not closed
			c.ch = s.channels[1]
		case draw < 10 && !s.tokens:
			c.ch = &channel{fleeting: true}
			c.ch = s.fleetingChannel(c)
		default:
			c.ch = s.channels[random.IntN(len(s.channels))]
			c.legacy = !c.ch.closable && random.IntN(8) == 0
		}
		r.clients = append(r.clients, c)
	}
	return nil
}

// random is a source of draws of its own for each stream.
func (s *round) random(stream uint64) *rand.Rand {
	return rand.New(rand.NewPCG(s.o.Seed, stream))
}

// fleetingChannel is the next channel of a client that has one of its own.
func (s *round) fleetingChannel(c *client) *channel {
	return &channel{name: fmt.Sprintf("f%d-%d", c.id, c.lives), fleeting: true}
}

// owners makes the publishers, each with its channels; the last has the one for long
// contents.
func (s *round) owners() []*publisher {
	all := make([]*publisher, publishers+1)
	for i := range all {
		all[i] = &publisher{s: s, random: s.random(2000 + uint64(i))}
	}
	for i, ch := range s.channels[1:] {
		p := all[i%publishers]
		p.own = append(p.own, ch)
	}
	all[publishers].own = s.channels[:1]
	return all
}

// together runs f for each publisher at the same time.
func together(all []*publisher, f func(*publisher)) {
	var g sync.WaitGroup
	for _, p := range all {
		g.Go(func() { f(p) })
	}
	g.Wait()
}
