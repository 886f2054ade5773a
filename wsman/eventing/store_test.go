package eventing_test

import (
	"testing"

	"twinlun/wsman/eventing"
	"twinlun/wsman/eventing/eventingtest"
)

func TestMemStore(t *testing.T) {
	eventingtest.TestStore(t, func(*testing.T) eventing.Store { return new(eventing.MemStore) }, nil)
}
