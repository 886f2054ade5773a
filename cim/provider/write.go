package provider

import (
	"context"

	"twinlun/cim"
)

// Modify gives properties of an instance new values and returns the instance as it
// is afterwards. A property that has its value already is left alone, whether it may
// be written or not. StatusNoSuchProperty, StatusTypeMismatch, and
// StatusInvalidParameter for one that may not be written; then nothing was changed.
func (b *Broker) Modify(ctx context.Context, p *cim.Path, changes []cim.PropertyValue) (*cim.Instance, error) {
	return nil, cim.Errorf(cim.StatusNotSupported, "instances of %s cannot be modified", p.Class)
}

// Create makes an instance of a class and returns its path.
func (b *Broker) Create(ctx context.Context, ns, class string, given []cim.PropertyValue) (*cim.Path, error) {
	return nil, cim.Errorf(cim.StatusNotSupported, "instances of %s cannot be created", class)
}

// Delete removes an instance.
func (b *Broker) Delete(ctx context.Context, p *cim.Path) error {
	return cim.Errorf(cim.StatusNotSupported, "instances of %s cannot be deleted", p.Class)
}
