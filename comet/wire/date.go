package wire

// DateBytes is the length of an IMF-fixdate.
const DateBytes = len("Sun, 06 Nov 1994 08:49:37 GMT")

const (
	dayNames   = "ThuFriSatSunMonTueWed" // from 1 January 1970 on
	monthNames = "MarAprMayJunJulAugSepOctNovDecJanFeb"

	secondsPerDay  = 86400
	daysPerEra     = 146097 // 400 years of the Gregorian calendar
	daysToEpoch    = 719468 // from 1 March of year 0 to 1 January 1970
	maxDateSeconds = 253402300799
)

// AppendDate appends the IMF-fixdate of a time in seconds since 1970, which is
// held to the years 1970 to 9999.
func AppendDate(dst []byte, unixSeconds int64) []byte {
	unixSeconds = min(max(unixSeconds, 0), maxDateSeconds)
	days := int(unixSeconds / secondsPerDay)
	seconds := int(unixSeconds % secondsPerDay)
	year, month, day := civil(days)

	dst = append(dst, dayNames[days%7*3:][:3]...)
	dst = append(dst, ", "...)
	dst = append2(dst, day)
	dst = append(dst, ' ')
	dst = append(dst, monthNames[month*3:][:3]...)
	dst = append(dst, ' ')
	dst = append2(append2(dst, year/100), year%100)
	dst = append(dst, ' ')
	dst = append(append2(dst, seconds/3600), ':')
	dst = append(append2(dst, seconds/60%60), ':')
	dst = append2(dst, seconds%60)
	return append(dst, " GMT"...)
}

// civil turns days since 1970 into a date. It counts years from 1 March, so
// that the leap day is the last of its year; month 0 is March.
func civil(days int) (year, month, day int) {
	days += daysToEpoch
	era, dayOfEra := days/daysPerEra, days%daysPerEra
	// Of the days in an era, those that are leap days before dayOfEra.
	yearOfEra := (dayOfEra - dayOfEra/1460 + dayOfEra/36524 - dayOfEra/146096) / 365
	dayOfYear := dayOfEra - (365*yearOfEra + yearOfEra/4 - yearOfEra/100)
	// From March on, five months have 153 days.
	month = (5*dayOfYear + 2) / 153
	day = dayOfYear - (153*month+2)/5 + 1
	year = era*400 + yearOfEra
	if month >= 10 {
		year++
	}
	return year, month, day
}

// append2 appends two decimal digits.
func append2(dst []byte, n int) []byte {
	return append(dst, '0'+byte(n/10), '0'+byte(n%10))
}
