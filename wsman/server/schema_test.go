package server

import (
	"twinlun/cim"
)

// testSchema is a small world of volumes, a service with methods, and pairs.
func testSchema() *cim.Schema {
	element := &cim.Class{Name: "T_Element", Abstract: true, Properties: []*cim.Property{
		{Name: "Caption", Type: cim.String, Origin: "T_Element"},
	}}
	volume := derive(element, "T_Volume",
		&cim.Property{Name: "SystemName", Type: cim.String, Key: true},
		&cim.Property{Name: "DeviceID", Type: cim.String, Key: true},
		&cim.Property{Name: "Size", Type: cim.Uint64},
		&cim.Property{Name: "OperationalStatus", Type: cim.Uint16, Array: true},
	)
	thin := derive(volume, "T_ThinVolume", &cim.Property{Name: "Allocated", Type: cim.Uint64})
	job := derive(element, "T_Job", &cim.Property{Name: "InstanceID", Type: cim.String, Key: true})
	setting := derive(element, "T_Setting", &cim.Property{Name: "Rate", Type: cim.Uint32})
	service := derive(element, "T_Service", &cim.Property{Name: "Name", Type: cim.String, Key: true})
	service.Methods = serviceMethods()
	pair := derive(nil, "T_Pair",
		&cim.Property{Name: "Source", Type: cim.Reference, RefClass: "T_Volume", Key: true},
		&cim.Property{Name: "Target", Type: cim.Reference, RefClass: "T_Volume", Key: true},
		&cim.Property{Name: "State", Type: cim.Uint16},
	)
	pair.Association = true
	classes := []*cim.Class{element, volume, thin, job, setting, service, pair}
	for _, c := range classes {
		c.Link()
	}
	return cim.NewSchema(classes)
}

func derive(super *cim.Class, name string, own ...*cim.Property) *cim.Class {
	c := &cim.Class{Name: name, Super: super}
	if super != nil {
		for _, p := range super.Properties {
			inherited := *p
			inherited.Propagated = true
			c.Properties = append(c.Properties, &inherited)
		}
	}
	for _, p := range own {
		p.Origin = name
		c.Properties = append(c.Properties, p)
	}
	return c
}

func serviceMethods() []*cim.Method {
	return []*cim.Method{
		{Name: "Replicate", Return: cim.Uint32, Origin: "T_Service", Qualifiers: cim.Qualifiers{
			{Name: "ValueMap", Type: cim.String, Array: true, Value: []cim.Value{"0", "5", "4096"}},
			{Name: "Values", Type: cim.String, Array: true, Value: []cim.Value{"Completed", "Invalid Parameter", "Job Started"}},
		}, Params: []*cim.Parameter{
			{Name: "ElementNames", Type: cim.String, Array: true, In: true},
			{Name: "SyncType", Type: cim.Uint16, In: true},
			{Name: "SourceElements", Type: cim.Reference, RefClass: "T_Volume", Array: true, In: true},
			{Name: "Setting", Type: cim.String, Embedded: "T_Setting", In: true},
			{Name: "Job", Type: cim.Reference, RefClass: "T_Job", Out: true},
			{Name: "TargetElements", Type: cim.Reference, RefClass: "T_Volume", Array: true, In: true, Out: true},
		}},
		{Name: "Ping", Return: cim.Uint32, Origin: "T_Service", Static: true},
	}
}
