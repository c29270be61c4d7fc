package arena

// pageBytes is the smallest page of the machines this runs on; a larger one is
// touched several times.
const pageBytes = 4096

// Prefault makes all of b resident by writing a zero to every page: b must be
// as Map returned it.
func Prefault(b []byte) {
	for i := 0; i < len(b); i += pageBytes {
		b[i] = 0 // a read would map the shared zero page
	}
}
