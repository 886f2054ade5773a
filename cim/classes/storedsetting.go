package classes

import (
	"context"
	"errors"
	"slices"
	"strings"

	"twinlun/cim"
	"twinlun/replication"
	"twinlun/replication/setting"
)

// ChangeableType of CIM_SettingData.
const (
	settingFixed      = 0 // Not Changeable - Persistent
	settingChangeable = 2 // Changeable - Persistent
)

// settingClass serves the settings of one kind: those that are part of the product
// and those that users make. Of a user's setting, the properties that the schema lets
// be written are kept; NULL stands for what a new one has.
type settingClass struct {
	*model
	class   *cim.Class
	kind    setting.Kind
	prefix  string // of InstanceIDs
	role    cim.Role
	builtIn []setting.Record
	// same sets what a new setting has; may be nil.
	same func(b *cim.Builder)
	// check refuses values that can never be honoured.
	check func(in *cim.Instance) error
	// inUse fails where a setting cannot be forgotten; may be nil.
	inUse func(ctx context.Context, r setting.Record) error
}

// serve registers the class, if the schema has it.
func (s *settingClass) serve(r *registry) {
	if s.class == nil {
		return
	}
	r.add(writable[setting.Record]{
		source: &source[setting.Record]{class: s.class, each: s.each, find: s.find, fill: s.fill},
		writer: &writer{class: s.class.Name, role: s.role, modify: s.modify, create: s.create, remove: s.remove},
	})
}

func (s *settingClass) each(ctx context.Context, yield func(setting.Record) error) error {
	kept, err := s.Settings.Settings(ctx, s.kind)
	if err != nil {
		return err
	}
	return inTurn(slices.Concat(s.builtIn, kept), yield)
}

func (s *settingClass) find(ctx context.Context, p *cim.Path) (setting.Record, error) {
	id, ok := localID(p, s.prefix)
	if !ok {
		return setting.Record{}, notFound(p)
	}
	return s.byID(ctx, id)
}

func (s *settingClass) byID(ctx context.Context, id string) (setting.Record, error) {
	if i := slices.IndexFunc(s.builtIn, func(r setting.Record) bool { return r.ID == id }); i >= 0 {
		return s.builtIn[i], nil
	}
	return s.Settings.Setting(ctx, s.kind, id)
}

// isBuiltIn says whether a setting is part of the product.
func (s *settingClass) isBuiltIn(id string) bool {
	return slices.ContainsFunc(s.builtIn, func(r setting.Record) bool { return r.ID == id })
}

func (s *settingClass) fill(b *cim.Builder, r setting.Record) {
	changeable := settingChangeable
	if s.isBuiltIn(r.ID) {
		changeable = settingFixed
	}
	if s.same != nil {
		s.same(b)
	}
	b.Set("InstanceID", s.prefix+r.ID).Set("ElementName", r.Name).Set("ChangeableType", changeable)
	if r.Description != "" {
		b.Set("Description", r.Description)
	}
	for name, text := range r.Values {
		s.setValue(b, name, text)
	}
}

// setValue sets what is kept of a property. One that a later version of the schema
// does not have any more, or not in this form, is left out.
func (s *settingClass) setValue(b *cim.Builder, name, text string) {
	p := s.class.Property(name)
	if p == nil {
		return
	}
	if v, err := cim.ParseText(p.Type, text); err == nil {
		b.Set(p.Name, v)
	}
}

// create keeps a new setting. InstanceID is made up where it is not given. What
// cannot be written later can be given with the value that it will have, and no other.
func (s *settingClass) create(ctx context.Context, given changes) (*cim.Path, error) {
	r := setting.Record{Kind: s.kind}
	if err := s.takeID(&r, given); err != nil {
		return nil, err
	}
	s.apply(&r, given)
	in, err := s.checked(r)
	if err != nil {
		return nil, err
	}
	if err := agree(in, given); err != nil {
		return nil, err
	}
	if r, err = s.Settings.CreateSetting(ctx, r); err != nil {
		return nil, err
	}
	return byInstanceID(s.class.Name, s.prefix+r.ID), nil
}

// takeID reads the identifier of a new setting, if one is given.
func (s *settingClass) takeID(r *setting.Record, given changes) error {
	id, _ := given.value("InstanceID").(string)
	if !given.has("InstanceID") {
		return nil
	}
	var ok bool
	if r.ID, ok = strings.CutPrefix(id, s.prefix); !ok || r.ID == "" {
		return cim.Errorf(cim.StatusInvalidParameter, "InstanceID: begins with %s and goes on with 1 to %d letters, digits, '-', '.' and '_'", s.prefix, setting.MaxID)
	}
	if s.isBuiltIn(r.ID) {
		return cim.Errorf(cim.StatusAlreadyExists, "InstanceID: %s is taken", id)
	}
	return nil
}

// apply puts what can be written into a record.
func (s *settingClass) apply(r *setting.Record, c changes) {
	if r.Values == nil {
		r.Values = map[string]string{}
	}
	for _, p := range c {
		text, _ := p.Value.(string)
		switch {
		case p.Name == "ElementName":
			r.Name = text
		case p.Name == "Description":
			r.Description = text
		case !s.class.Property(p.Name).Qualifiers.Flag("Write"):
		case p.Value == nil:
			delete(r.Values, p.Name)
		default:
			r.Values[p.Name] = cim.FormatText(p.Value)
		}
	}
}

// checked is the instance of a record that can be honoured.
func (s *settingClass) checked(r setting.Record) (*cim.Instance, error) {
	b := cim.Build(s.class)
	s.fill(b, r)
	in, err := b.Instance()
	if err != nil {
		return nil, cim.Internal(err)
	}
	if r.Name == "" {
		return nil, cim.Errorf(cim.StatusInvalidParameter, "ElementName: a name is needed")
	}
	return in, s.check(in)
}

// agree refuses what a new instance was to have and will not.
func agree(in *cim.Instance, given changes) error {
	for _, g := range given {
		p := in.Class.Property(g.Name)
		if g.Value == nil || p.Key || p.Qualifiers.Flag("Write") || cim.Equal(g.Value, in.At(p.Index)) {
			continue
		}
		return cim.Errorf(cim.StatusInvalidParameter, "%s of a %s cannot be chosen", p.Name, in.Class.Name)
	}
	return nil
}

func (s *settingClass) modify(ctx context.Context, in *cim.Instance, c changes) error {
	r, err := s.find(ctx, in.Path)
	if err != nil {
		return err
	}
	if s.isBuiltIn(r.ID) {
		return cim.Errorf(cim.StatusNotSupported, "%s is part of the product and cannot be modified", in.Path)
	}
	_, err = s.Settings.UpdateSetting(ctx, s.kind, r.ID, func(r *setting.Record) error {
		s.apply(r, c)
		_, err := s.checked(*r)
		return err
	})
	return err
}

func (s *settingClass) remove(ctx context.Context, p *cim.Path) error {
	r, err := s.find(ctx, p)
	if err != nil {
		return err
	}
	if s.isBuiltIn(r.ID) {
		return cim.Errorf(cim.StatusNotSupported, "%s is part of the product and cannot be deleted", p)
	}
	if s.inUse != nil {
		if err := s.inUse(ctx, r); err != nil {
			return err
		}
	}
	return s.Settings.DeleteSetting(ctx, s.kind, r.ID)
}

// replicationSettingData serves the options that users keep. Methods take them
// embedded: a client reads one, and sends it along.
func replicationSettingData(r *registry) {
	s := &settingClass{
		model: r.model, class: r.class(classKeptSettingData), kind: setting.Replication, prefix: idReplicationSetting,
		role: cim.RoleOperator, check: checkKeptOptions,
	}
	s.serve(r)
}

// checkKeptOptions refuses options that no call honours.
func checkKeptOptions(in *cim.Instance) error {
	rules := settingRules(anyCall())
	for _, p := range in.Class.Properties {
		v := in.At(p.Index)
		if v == nil || p.Origin != classSettingData {
			continue
		}
		if kind, why := rules[p.Name].refuses(p, v); why != "" {
			return replication.Errorf(kind, p.Name, "%s", why)
		}
	}
	return nil
}

// errInUse ends a search for those who use a setting.
var errInUse = errors.New("in use")
