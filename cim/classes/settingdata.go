package classes

import (
	"slices"

	"twinlun/cim"
	"twinlun/replication"
	"twinlun/replication/pairstate"
)

// settingRule says what one property of a CIM_ReplicationSettingData may ask for.
type settingRule struct {
	// known are the values that the schema gives a meaning; nil: all.
	known []uint64
	// honoured are those of them that are done; a known one that is not here
	// is not supported. nil with known nil: apply decides alone.
	honoured []uint64
	// apply puts the value into the settings; nil: it is what is done anyway.
	apply func(s *replication.Settings, v cim.Value)
}

// settingRules lists the properties that are looked at, for a type of copy. Any other property that
// has a value which is not its default cannot be honoured.
func settingRules(t pairstate.SyncType) map[string]settingRule {
	return map[string]settingRule{
		"Pairing":                   {known: []uint64{2, 3, 4}, honoured: []uint64{2, 3}},
		"UnequalGroupsAction":       {known: []uint64{2, 3, 4}, honoured: []uint64{2}},
		"UnequalListsAction":        {known: []uint64{2, 3, 4}, honoured: []uint64{2}},
		"DesiredCopyMethodology":    {known: []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, honoured: []uint64{2}},
		"TargetElementSupplier":     {known: []uint64{1, 2, 3, 4, 5}, honoured: []uint64{2, 4}},
		"ThinProvisioningPolicy":    {known: []uint64{2, 3, 4, 5, 6, 7}, honoured: []uint64{2, 5, 6, 7}},
		"Multihop":                  {honoured: []uint64{1}},
		"CopyRecoveryMode":          {known: []uint64{0, 2, 3, 4}, honoured: []uint64{2, 4}},
		"TargetElementGoal":         {known: []uint64{2, 3}, honoured: []uint64{2, 3}},
		"TargetElementResourcePool": {known: []uint64{2, 3}, honoured: []uint64{2, 3}},
		"StorageCompressionPolicy":  {known: []uint64{2, 3, 4, 5, 6, 7}, honoured: []uint64{5, 6, 7}},
		"DeltaUpdateBlocks":         {honoured: []uint64{0}},
		"MaximumSkew":               {honoured: []uint64{0}},
		"OnGroupOrListError": {known: []uint64{2, 3}, honoured: []uint64{2, 3}, apply: func(s *replication.Settings, v cim.Value) {
			s.ContinueOnError = v == cim.Value(uint64(2))
		}},
		"CopyPriority": {known: []uint64{0, 1, 2, 3, 4}, honoured: []uint64{0, 1, 2, 3, 4}, apply: func(s *replication.Settings, v cim.Value) {
			n, _ := v.(uint64)
			s.CopyPriority = uint16(n)
		}},
		"ReadOnly": {known: []uint64{2, 3, 4}, honoured: []uint64{3}, apply: func(s *replication.Settings, _ cim.Value) {
			s.TargetReadOnly = true
		}},
		"ConsistentPointInTime": {apply: func(s *replication.Settings, v cim.Value) {
			s.ConsistentPointInTime = v == cim.Value(true)
		}},
	}
}

// settings are what an embedded CIM_ReplicationSettingData asks for; the
// defaults for NULL. What is not honoured fails with 1, what makes no sense
// with 5.
func (a *args) settings(param string) replication.Settings {
	var s replication.Settings
	in, ok := a.value(param).(*cim.Instance)
	if !ok {
		return s
	}
	if !in.Class.IsA("CIM_ReplicationSettingData") {
		a.fail(replication.KindInvalid, param, "an instance of %s is not a CIM_ReplicationSettingData", in.Class.Name)
		return s
	}
	rules := settingRules(pairstate.SyncType(a.number("SyncType")))
	for _, p := range in.Class.Properties {
		if v := in.At(p.Index); v != nil && p.Origin == "CIM_ReplicationSettingData" {
			a.applySetting(&s, param+"."+p.Name, rules[p.Name], p, v)
		}
	}
	return s
}

func (a *args) applySetting(s *replication.Settings, param string, rule settingRule, p *cim.Property, v cim.Value) {
	n, isNumber := v.(uint64)
	switch {
	case rule.known != nil && !slices.Contains(rule.known, n):
		a.fail(replication.KindInvalid, param, "%s is not a value that the schema defines", cim.FormatText(v))
	case rule.honoured != nil && (!isNumber || !slices.Contains(rule.honoured, n)):
		a.fail(replication.KindNotSupported, param, "%s cannot be honoured", cim.FormatText(v))
	case rule.apply != nil:
		rule.apply(s, v)
	case rule.honoured == nil && !cim.Equal(v, p.Default):
		a.fail(replication.KindNotSupported, param, "%s cannot be honoured", cim.FormatText(v))
	}
}
