package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// missing stands for what was not measured.
const missing = "–"

// megabytes prints bytes in MB of a million bytes; below 10 MB with a decimal.
func megabytes(bytes float64) string {
	mb := bytes / 1e6
	if math.Abs(mb) < 9.95 {
		return strconv.FormatFloat(mb, 'f', 1, 64) + " MB"
	}
	return grouped(int64(math.Round(mb))) + " MB"
}

func megabytesOf[T int64 | uint64](bytes *T) string {
	if bytes == nil {
		return missing
	}
	return megabytes(float64(*bytes))
}

// grouped prints a whole number with commas between the thousands.
func grouped(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// microseconds prints a time of microseconds with a fitting unit.
func microseconds(us float64) string {
	switch {
	case us >= 999_500:
		return fmt.Sprintf("%.2f s", us/1e6)
	case us >= 999.5:
		return fmt.Sprintf("%.1f ms", us/1e3)
	case us >= 99.5:
		return fmt.Sprintf("%.0f us", us)
	}
	return fmt.Sprintf("%.2f us", us)
}

func microsecondsOf(us *float64) string {
	if us == nil {
		return missing
	}
	return microseconds(*us)
}

func seconds(s float64) string { return fmt.Sprintf("%.1f s", s) }

func perSecond(rate float64) string { return grouped(int64(math.Round(rate))) + "/s" }

// percent prints a fraction of a core.
func percent(fraction float64) string {
	p := fraction * 100
	if p != 0 && math.Abs(p) < 0.1 {
		return fmt.Sprintf("%.3f %%", p)
	}
	return fmt.Sprintf("%.2f %%", p)
}

func bytesEach(b float64) string {
	if math.Abs(b) < 100 {
		return fmt.Sprintf("%.1f B", b)
	}
	return grouped(int64(math.Round(b))) + " B"
}
