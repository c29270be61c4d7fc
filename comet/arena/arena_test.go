package arena

import (
	"bytes"
	"math/rand/v2"
	"sync"
	"testing"
)

// TestBlocksKeepTheirBytes proves that live blocks never overlap, whatever
// sizes come and go, and that everything is given back.
func TestBlocksKeepTheirBytes(t *testing.T) {
	b := NewBlocks(1 << 30)
	rnd := rand.New(rand.NewPCG(7, 7))
	type held struct {
		h    Handle
		n    int
		fill byte
	}
	var live []held
	for i := range 20_000 {
		if len(live) > 0 && rnd.IntN(5) < 2 {
			j := rnd.IntN(len(live))
			x := live[j]
			if got := b.Bytes(x.h)[:x.n]; !bytes.Equal(got, bytes.Repeat([]byte{x.fill}, x.n)) {
				t.Fatalf("step %d: a block of %d bytes was written to by another", i, x.n)
			}
			b.Free(x.h)
			live[j] = live[len(live)-1]
			live = live[:len(live)-1]
			continue
		}
		x := held{n: 1 + rnd.IntN(1<<rnd.IntN(16)), fill: byte(i)}
		if x.h = b.Alloc(x.n); x.h == 0 {
			t.Fatalf("step %d: no block of %d bytes", i, x.n)
		}
		if len(b.Bytes(x.h)) < x.n || len(b.Bytes(x.h)) != b.Size(x.h) {
			t.Fatalf("asked %d bytes, got %d of size %d", x.n, len(b.Bytes(x.h)), b.Size(x.h))
		}
		for k := range x.n {
			b.Bytes(x.h)[k] = x.fill
		}
		live = append(live, x)
	}
	for _, x := range live {
		b.Free(x.h)
	}
	if b.Used() != 0 {
		t.Errorf("%d bytes still in use", b.Used())
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

// TestBlocksRefuse proves that the limit and the largest size are kept, and
// that a refusal costs nothing.
func TestBlocksRefuse(t *testing.T) {
	b := NewBlocks(1500)
	if b.Alloc(MaxBlockBytes+1) != 0 || b.Alloc(2000) != 0 {
		t.Error("got a block beyond the limits")
	}
	h := b.Alloc(900)
	if h == 0 || b.Alloc(900) != 0 {
		t.Error("the limit is not the limit")
	}
	b.Free(h)
	if h = b.Alloc(900); h == 0 {
		t.Error("a freed block cannot be had again")
	}
}

// TestBlockWaste proves what the size classes promise.
func TestBlockWaste(t *testing.T) {
	for n := 33; n <= MaxBlockBytes; n += 1 + n/50 {
		if size := int(classBytes[classOf(n)]); size < n || 3*(size-n) > size+9 {
			t.Fatalf("%d bytes get a block of %d", n, size)
		}
	}
}

// TestPool proves that handles are distinct, that the capacity is the
// capacity, and that threads may share a pool.
func TestPool(t *testing.T) {
	const n = 1000
	p, err := NewPool[[12]byte](n)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				var hs []Handle
				for range 50 {
					h, ok := p.Alloc()
					if !ok {
						t.Error("pool is empty too early")
						return
					}
					p.At(h)[5]++
					hs = append(hs, h)
				}
				for _, h := range hs {
					p.At(h)[5]--
					p.Free(h)
				}
			}
		})
	}
	wg.Wait()
	if p.Used() != 0 || p.High() > 200 {
		t.Errorf("%d in use, %d ever touched by 4 x 50", p.Used(), p.High())
	}
	seen := map[Handle]bool{}
	for range n {
		h, ok := p.Alloc()
		if !ok || seen[h] || h == 0 {
			t.Fatalf("handle %d, %v, again %v", h, ok, seen[h])
		}
		seen[h] = true
	}
	if _, ok := p.Alloc(); ok {
		t.Error("more records than were reserved")
	}
}
