package classes

import (
	"slices"

	"twinlun/cim"
	"twinlun/replication"
	"twinlun/replication/pairstate"
)

// classSettingData is the class of the embedded instances that carry options.
const classSettingData = "CIM_ReplicationSettingData"

// settingRule says what one property of a CIM_ReplicationSettingData may ask for.
type settingRule struct {
	// known are the values that the schema gives a meaning; nil: all.
	known []uint64
	// done are those that are honoured because nothing else is ever done; the
	// other known ones are not supported. nil: apply takes every known value.
	done []uint64
	// apply puts the value into the settings.
	apply func(s *replication.Settings, v cim.Value)
}

// callOptions are the values that can be honoured because of how a method is called.
type callOptions struct{ methodologies, suppliers, pools []uint64 }

// anyCall are those that some call honours.
func anyCall() callOptions {
	return callOptions{methodologies: []uint64{2, 3, 9, 11}, suppliers: []uint64{1, 2, 4, 5}, pools: []uint64{2, 3}}
}

// settingRules are the rules of this call.
func (a *args) settingRules() map[string]settingRule {
	return settingRules(callOptions{methodologies: a.methodologies(), suppliers: a.suppliers(), pools: a.targetPools()})
}

// settingRules lists the properties that are looked at in a call. Any other that
// has a value which is not its default cannot be honoured.
func settingRules(call callOptions) map[string]settingRule {
	upTo := func(n uint64) (all []uint64) {
		for i := range n + 1 {
			all = append(all, i)
		}
		return all
	}
	return map[string]settingRule{
		"Pairing":                   {known: upTo(4)[2:], done: []uint64{2, 3}},
		"UnequalGroupsAction":       {known: upTo(4)[2:], done: []uint64{2}},
		"UnequalListsAction":        {known: upTo(4)[2:], done: []uint64{2}},
		"DesiredCopyMethodology":    {known: upTo(11)[1:], done: call.methodologies},
		"TargetElementSupplier":     {known: upTo(5)[1:], done: call.suppliers},
		"ThinProvisioningPolicy":    {known: upTo(7)[2:], done: []uint64{2, 5, 6, 7}},
		"StorageCompressionPolicy":  {known: upTo(7)[2:], done: []uint64{5, 6, 7}},
		"Multihop":                  {done: []uint64{1}},
		"CopyRecoveryMode":          {known: []uint64{0, 2, 3, 4}, done: []uint64{2, 4}},
		"TargetElementGoal":         {known: []uint64{2, 3}, done: []uint64{2, 3}},
		"TargetElementResourcePool": {known: []uint64{2, 3}, done: call.pools},
		"DeltaUpdateBlocks":         {done: []uint64{0}},
		"MaximumSkew":               {done: []uint64{0}},
		"OnGroupOrListError": {known: []uint64{2, 3}, apply: func(s *replication.Settings, v cim.Value) {
			s.ContinueOnError = v == cim.Value(uint64(2))
		}},
		"CopyPriority": {known: upTo(4), apply: func(s *replication.Settings, v cim.Value) {
			n, _ := v.(uint64)
			s.CopyPriority = uint16(n)
		}},
		"ReadOnly": {known: upTo(4)[2:], done: []uint64{readOnlyTarget}, apply: func(s *replication.Settings, _ cim.Value) {
			s.TargetReadOnly = true
		}},
		"ConsistentPointInTime": {apply: func(s *replication.Settings, v cim.Value) {
			s.ConsistentPointInTime = v == cim.Value(true)
		}},
	}
}

// methodologies are how the type of copy asked for is made, whoever asks.
func (a *args) methodologies() []uint64 {
	const serviceDecides, fullCopy = 2, 3
	switch t := pairstate.SyncType(a.number("SyncType")); t {
	case pairstate.Clone:
		return []uint64{serviceDecides, fullCopy, copyMethodology(t)}
	case pairstate.Mirror, pairstate.Snapshot:
		return []uint64{serviceDecides, copyMethodology(t)}
	}
	return []uint64{serviceDecides}
}

// suppliers say where targets come from: those that are given are used, and
// otherwise new ones are made.
func (a *args) suppliers() []uint64 {
	const useExisting, createNew, serviceDecides, clientSupplies = 1, 2, 4, 5
	if a.given("TargetElements") || a.given("TargetElement") || a.given("TargetGroup") {
		return []uint64{useExisting, serviceDecides, clientSupplies}
	}
	return []uint64{createNew, serviceDecides}
}

// targetPools: the pool of the source is used unless another is given.
func (a *args) targetPools() []uint64 {
	const serviceDecides, sameAsSource = 2, 3
	if a.given("TargetPool") {
		return []uint64{serviceDecides}
	}
	return []uint64{serviceDecides, sameAsSource}
}

// settings are what an embedded CIM_ReplicationSettingData asks for; the
// defaults for NULL. What is not honoured fails with 1, what makes no sense
// with 5.
func (a *args) settings() replication.Settings {
	const param = "ReplicationSettingData"
	var s replication.Settings
	in, ok := a.value(param).(*cim.Instance)
	if !ok {
		return s
	}
	if !in.Class.IsA(classSettingData) {
		a.fail(replication.KindInvalid, param, "an instance of %s is not a %s", in.Class.Name, classSettingData)
		return s
	}
	rules := a.settingRules()
	for _, p := range in.Class.Properties {
		if v := in.At(p.Index); v != nil && p.Origin == classSettingData {
			a.applySetting(&s, param+"."+p.Name, rules[p.Name], p, v)
		}
	}
	return s
}

func (a *args) applySetting(s *replication.Settings, param string, rule settingRule, p *cim.Property, v cim.Value) {
	kind, why := rule.refuses(p, v)
	switch {
	case why != "":
		a.fail(kind, param, "%s", why)
	case rule.apply != nil:
		rule.apply(s, v)
	}
}

// refuses says why a value cannot be honoured, and nothing for one that can.
func (rule settingRule) refuses(p *cim.Property, v cim.Value) (replication.Kind, string) {
	n, _ := v.(uint64)
	none := rule.done == nil && rule.apply == nil
	switch {
	case rule.known != nil && !slices.Contains(rule.known, n):
		return replication.KindInvalid, cim.FormatText(v) + " is not a value that the schema defines"
	case rule.done != nil && !slices.Contains(rule.done, n), none && !cim.Equal(v, p.Default):
		return replication.KindNotSupported, cim.FormatText(v) + " cannot be honoured"
	}
	return 0, ""
}

// noSettings fails for options that would change what a method does which has
// none.
func (a *args) noSettings() {
	if a.settings() != (replication.Settings{}) {
		a.fail(replication.KindNotSupported, "ReplicationSettingData", "the method has no options")
	}
}
