package result

import (
	"math"
	"testing"

	"c1000k/experiments/sample"
)

// Proves that what the kernel keeps for sockets beside their objects, with a bare
// accept loop as with a server, is taken out of what the server's engine keeps,
// and that without the bare loop's memory nothing is said.
func TestOverBare(t *testing.T) {
	besides := []sample.CacheDelta{objects("kmalloc-128", n/5, 128), objects("kmalloc-192", n/4, 192)}
	watched := []sample.CacheDelta{
		objects("eventpoll_epi", 2*n, 128), objects("ep_head", 2*n, 16), objects("anon_vma_chain", 2*n, 64, "eventpoll_pwq"),
	}
	double := sockets()
	for i := range double {
		double[i].Objects *= 2
	}
	bare := &Floor{What: FloorAccept, Count: 2 * n, Kernel: growth(append(append(double, watched...),
		objects("kmalloc-128", 2*n/5, 128), objects("kmalloc-192", 2*n/4, 192))...)}
	step := &Step{Target: n, Kernel: growth(append(append(sockets(), besides...),
		objects("eventpoll_epi", n, 128), objects("ep_head", n, 16), objects("anon_vma_chain", n, 64, "eventpoll_pwq"),
		objects("io_kiocb", n, 256), objects("kmalloc-32", n, 32))...)}
	if k := step.Share(); *k.OverFloor <= 288*n {
		t.Fatalf("the case is no case: %d bytes over the floor without the bare loop", *k.OverFloor)
	}
	each, ok := step.OverBare(bare)
	if !ok || math.Abs(each-288) > 1e-6 {
		t.Errorf("over the bare loop %v, %v, want 288", each, ok)
	}
	got := step.CachesOverBare(bare, 1)
	if len(got) != 2 || got[0].Name != "io_kiocb" || got[0].Bytes != 256 || got[1].Name != "kmalloc-32" || got[1].Bytes != 32 {
		t.Errorf("by cache: %+v", got)
	}
	for _, none := range []*Floor{nil, {Count: n}, {Count: n, Kernel: &sample.KernelDelta{Estimated: true}}} {
		if each, ok := step.OverBare(none); ok {
			t.Errorf("without the bare loop's memory: %v", each)
		}
	}
}
