package store

import (
	"context"
	"fmt"
	"strconv"
)

// The record that says how the file is to be read.
const (
	metaBucket = "store"
	formatKey  = "format"
	format     = 1
)

// checkFormat writes the format record of an empty file, and checks that of
// another.
func (b *bolt) checkFormat() error {
	return b.Update(context.Background(), func(tx Tx) error {
		v, err := tx.Get(metaBucket, formatKey)
		if err != nil {
			return err
		}
		if v == nil {
			return writeFormat(tx)
		}
		if n, err := strconv.Atoi(string(v)); err != nil || n < 1 {
			return fmt.Errorf("%w: format record %q", ErrCorrupt, v)
		} else if n > format {
			return fmt.Errorf("%w: it is %d, this version knows %d", ErrFormat, n, format)
		}
		return nil
	})
}

func writeFormat(tx Tx) error {
	if t, ok := tx.(*boltTx); ok {
		if k, _ := t.tx.Cursor().First(); k != nil {
			return fmt.Errorf("%w: a bbolt file of another program", ErrCorrupt)
		}
	}
	return tx.Put(metaBucket, formatKey, []byte(strconv.Itoa(format)))
}
