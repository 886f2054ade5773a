package classes

import (
	"context"

	"twinlun/cim"
)

// profile is a management profile that is served well enough for its clients to find
// their way. docs/cim-classes.md says what of each is missing.
type profile struct {
	name, about string
	// scope is the name of the profile that it is part of; empty: none.
	scope string
	// central are the instances that it is about (DSP1033 section 7.2); nil for those
	// that come and go, which are found from those of scope.
	central func(m *model) []*cim.Path
}

// profileVersion is that of SMI-S, whose profiles these are.
const profileVersion = "1.8.0"

// nameArray is the profile that clients begin with.
const nameArray = "Array"

// profiles lists them.
func profiles() []profile {
	of := func(path func(m *model) *cim.Path) func(*model) []*cim.Path {
		return func(m *model) []*cim.Path { return []*cim.Path{path(m)} }
	}
	return []profile{
		{name: "Server", about: "The CIM server itself and its namespaces", central: of((*model).objectManagerPath)},
		{name: nameArray, about: "A block server with its pools, volumes, targets and replicas", central: of((*model).systemPath)},
		{name: "Block Services", scope: nameArray, about: "Pools, volumes and their settings", central: (*model).poolPaths},
		{name: "Replication Services", scope: nameArray, about: "Clones, snapshots and mirrors, one by one and in groups",
			central: of(func(m *model) *cim.Path { return m.servicePath(classReplicationSvc) })},
		{name: "Job Control", scope: nameArray, about: "Work that goes on after a method has returned"},
	}
}

// partOfOther says whether a profile is a part of another.
func (p profile) partOfOther() bool { return p.scope != "" }

func (p profile) class() string {
	if p.partOfOther() {
		return classSubProfile
	}
	return classProfile
}

func (p profile) path() *cim.Path { return profilePath(p.class(), p.name) }

func profilePath(class, name string) *cim.Path {
	return interopPath(class, cim.Key{Name: "InstanceID", Value: idProfile + name})
}

func (m *model) poolPaths() []*cim.Path {
	var all []*cim.Path
	for _, name := range m.PoolNames {
		all = append(all, poolPath(name))
	}
	return all
}

// Values of RegisteredProfile (CIM 2.49).
const (
	specificationProfile = 2  // SpecificationType
	organizationSNIA     = 11 // RegisteredOrganization
	notAdvertised        = 2  // AdvertiseTypes
)

func registeredProfile(r *registry)    { r.profiles(classProfile, false) }
func registeredSubProfile(r *registry) { r.profiles(classSubProfile, true) }

// profiles serves those that are part of others, or those that are not.
func (r *registry) profiles(class string, parts bool) {
	each := func(_ context.Context, yield func(profile) error) error {
		return inTurn(profiles(), func(p profile) error {
			if p.partOfOther() != parts {
				return nil
			}
			return yield(p)
		})
	}
	r.add(&source[profile]{
		class: r.class(class), space: InteropNamespace, each: each,
		find: func(_ context.Context, p *cim.Path) (profile, error) {
			for _, one := range profiles() {
				if one.path().Equal(p) {
					return one, nil
				}
			}
			return profile{}, notFound(p)
		},
		same: func(b *cim.Builder) {
			b.Set("SpecificationType", specificationProfile).Set("RegisteredOrganization", organizationSNIA).
				Set("RegisteredVersion", profileVersion).Set("AdvertiseTypes", []uint16{notAdvertised})
		},
		fill: func(b *cim.Builder, p profile) {
			b.Set("InstanceID", idProfile+p.name).Set("RegisteredName", p.name).
				Set("ElementName", "SNIA "+p.name).Set("Description", p.about)
		},
	})
}

// elementConformsToProfile leads from profiles to what they are about, and back: it
// is in both namespaces.
func elementConformsToProfile(r *registry) {
	m := r.model
	r.add(&association{
		class: r.class("TWINLUN_ElementConformsToProfile"), near: "ConformantStandard", far: "ManagedElement",
		spaces: []string{InteropNamespace, Namespace},
		all: func(_ context.Context, yield links) error {
			return inTurn(profiles(), func(p profile) error {
				if p.central == nil {
					return nil
				}
				return inTurn(p.central(m), func(e *cim.Path) error { return yield(link{near: p.path(), far: e}) })
			})
		},
	})
}

// subProfileRequiresProfile ties profiles to the one that they are part of.
func subProfileRequiresProfile(r *registry) {
	r.add(&association{
		class: r.class("TWINLUN_SubProfileRequiresProfile"), near: "Antecedent", far: "Dependent",
		spaces: []string{InteropNamespace},
		all: func(_ context.Context, yield links) error {
			return inTurn(profiles(), func(p profile) error {
				if !p.partOfOther() {
					return nil
				}
				return yield(link{near: profilePath(classProfile, p.scope), far: p.path()})
			})
		},
	})
}
