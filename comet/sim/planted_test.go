//go:build plant

package sim

import (
	"testing"

	"c1000k/comet/internal/plant"
)

// findPlanted proves that the simulator finds a bug: with it switched on, a
// seed among the thousand that are run otherwise fails.
func findPlanted(t *testing.T, b plant.Bug) {
	if !plant.Enabled {
		t.Fatal("this build has no planted bugs")
	}
	plant.Set(b)
	defer plant.Set(plant.None)
	const seeds = 1_000
	found := false
	forSeeds(1, seeds, func(seed uint64, r Result) bool {
		if r.Err != nil && !found {
			found = true
			t.Logf("found: %v", r.Err)
		}
		return found
	})
	if !found {
		t.Fatalf("%d seeds did not find it", seeds)
	}
}

// TestPlantedStaleGeneration proves that a completion of an earlier connection
// that is taken for one of the present connection is found.
func TestPlantedStaleGeneration(t *testing.T) { findPlanted(t, plant.StaleGeneration) }

// TestPlantedLostRearm proves that a connection that is read no more is found.
func TestPlantedLostRearm(t *testing.T) { findPlanted(t, plant.LostRearm) }

// TestPlantedDoubleSend proves that a message delivered again is found.
func TestPlantedDoubleSend(t *testing.T) { findPlanted(t, plant.DoubleSend) }

// TestPlantedLostReference proves that a message whose memory is never given
// back is found.
func TestPlantedLostReference(t *testing.T) { findPlanted(t, plant.LostReference) }

// TestPlantedWrongNumber proves that a number used twice is found.
func TestPlantedWrongNumber(t *testing.T) { findPlanted(t, plant.WrongNumber) }

// TestPlantedForgottenBehind proves that messages are found missing that came
// when the list beside a stream's send was full.
func TestPlantedForgottenBehind(t *testing.T) { findPlanted(t, plant.ForgottenBehind) }

// TestPlantedLostStay proves that a stream that is no longer in its channel's
// list is found.
func TestPlantedLostStay(t *testing.T) { findPlanted(t, plant.LostStay) }

// TestPlantedLostClose proves that a close that a connection is never told of is
// found.
func TestPlantedLostClose(t *testing.T) { findPlanted(t, plant.LostClose) }

// TestPlantedStuckNumber proves that a stream whose number does not move on is
// found.
func TestPlantedStuckNumber(t *testing.T) { findPlanted(t, plant.StuckNumber) }

// TestPlantedStuckOther proves the same of one of several channels of a stream.
func TestPlantedStuckOther(t *testing.T) { findPlanted(t, plant.StuckOther) }

// TestPlantedHastyID proves that an event's id is found that says more than the
// client has had.
func TestPlantedHastyID(t *testing.T) { findPlanted(t, plant.HastyID) }

// TestPlantedStillThere proves that a subscription is found which one channel
// refused and another still holds.
func TestPlantedStillThere(t *testing.T) { findPlanted(t, plant.StillThere) }

// TestPlantedBelievedClient proves that a publisher who says that it comes from
// elsewhere, and is believed, is found.
func TestPlantedBelievedClient(t *testing.T) { findPlanted(t, plant.BelievedClient) }

// TestPlantedUnwokenWatcher proves that a reader of /psub who is not told, since
// its loop sleeps, is found.
func TestPlantedUnwokenWatcher(t *testing.T) { findPlanted(t, plant.UnwokenWatcher) }

// TestPlantedKeptReply proves that a connection which outlives a drain is found.
func TestPlantedKeptReply(t *testing.T) { findPlanted(t, plant.KeptReply) }

// TestPlantedSkippedPlace proves that a channel that a list leaves out is found.
func TestPlantedSkippedPlace(t *testing.T) { findPlanted(t, plant.SkippedPlace) }
