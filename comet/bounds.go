package comet

// MaxContentBytes is the most that Config.MaxContentBytes may be.
const MaxContentBytes = maxContentBytes
