package bitmap

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// A page is the unit in which a set is stored.
const (
	pageBytes = 4096
	pageWords = pageBytes / 8
	pageBits  = pageBytes * 8
)

// page is the numbers of page i, little-endian, without trailing zeros: nil when
// none is in.
func (b *Bits) page(i int64) []byte {
	words := b.pageWords(i)
	for len(words) > 0 && words[len(words)-1] == 0 {
		words = words[:len(words)-1]
	}
	if len(words) == 0 {
		return nil
	}
	p := make([]byte, 0, len(words)*8)
	for _, w := range words {
		p = binary.LittleEndian.AppendUint64(p, w)
	}
	return p
}

// pageWords is the part of the set that page i holds.
func (b *Bits) pageWords(i int64) []uint64 {
	n := int64(len(b.words))
	return b.words[min(i*pageWords, n):min((i+1)*pageWords, n)]
}

// checkPage says whether p can be page i of the set.
func (b *Bits) checkPage(i int64, p []byte) error {
	words := int64(len(b.pageWords(i)))
	fits := words > 0 && len(p)%8 == 0 && int64(len(p))/8 <= words
	if last := b.n - i*pageBits; fits && last < int64(len(p))*8 { // the last word is not full
		fits = binary.LittleEndian.Uint64(p[len(p)-8:])>>(last%64) == 0
	}
	if !fits {
		return fmt.Errorf("bitmap: page %d of %d bytes does not fit %d regions", i, len(p), b.n)
	}
	return nil
}

// orPage puts in what p, which checkPage has seen, says of page i.
func (b *Bits) orPage(i int64, p []byte) {
	words := b.pageWords(i)
	for k := 0; k*8 < len(p); k++ {
		w := binary.LittleEndian.Uint64(p[k*8:])
		b.count += int64(bits.OnesCount64(w &^ words[k]))
		words[k] |= w
	}
}

// andPage takes out what p does not have of page i.
func (b *Bits) andPage(i int64, p []byte) {
	for k, old := range b.pageWords(i) {
		var w uint64
		if k*8 < len(p) {
			w = binary.LittleEndian.Uint64(p[k*8:])
		}
		b.count -= int64(bits.OnesCount64(old &^ w))
		b.pageWords(i)[k] &= w
	}
}
