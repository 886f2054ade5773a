package classes

import (
	"context"

	"twinlun/cim"
	"twinlun/replication"
)

// labelSetting is the label of a volume that holds the ID of its setting.
const labelSetting = "setting"

// setting is a kind of volume that can be asked for.
type setting struct {
	id, name, description string
}

// settings lists the kinds of volume. All volumes are thin: it is the only kind.
func settings() []setting {
	return []setting{{
		id: "thin", name: "Thin volume",
		description: "Takes space when it is written and gives it back when it is unmapped. One copy of the data, on the pool's filesystem.",
	}}
}

func storageSetting(r *registry) {
	r.add(&source[setting]{
		class: r.class(classStorageSetting),
		each:  func(_ context.Context, yield func(setting) error) error { return inTurn(settings(), yield) },
		find: func(_ context.Context, p *cim.Path) (setting, error) {
			id, _ := localID(p, idSetting)
			for _, s := range settings() {
				if s.id == id {
					return s, nil
				}
			}
			return setting{}, notFound(p)
		},
		fill: func(b *cim.Builder, s setting) {
			b.Set("InstanceID", idSetting+s.id).Set("ElementName", s.name).Set("Description", s.description).
				Set("NoSinglePointOfFailure", false).Set("ChangeableType", 0).
				Set("DataRedundancyMin", 1).Set("DataRedundancyMax", 1).Set("DataRedundancyGoal", 1).
				Set("PackageRedundancyMin", 0).Set("PackageRedundancyMax", 0).Set("PackageRedundancyGoal", 0)
		},
	})
}

// labels are those that a setting goal puts on new volumes; nil for NULL.
func (a *args) labels(param string) map[string]string {
	p := a.ref(param)
	if p == nil {
		return nil
	}
	for _, s := range settings() {
		if a.means(p, byInstanceID(classStorageSetting, idSetting+s.id)) {
			return map[string]string{labelSetting: s.id}
		}
	}
	a.fail(replication.KindInvalid, param, "there is no storage setting %s", p)
	return nil
}
