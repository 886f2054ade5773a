package classes

import (
	"context"

	"twinlun/blockdev/pool"
	"twinlun/cim"
	"twinlun/replication"
)

// volumeWriter renames volumes.
func (m *model) volumeWriter() *writer {
	return &writer{
		class: classStorageVolume, role: cim.RoleAdmin, accepts: []string{"ElementName"},
		modify: m.renameVolume,
		remove: removeBy(classStorageVolume, "ReturnToStoragePool of "+classStorageConfigSvc),
	}
}

func (m *model) renameVolume(ctx context.Context, in *cim.Instance, c changes) error {
	v, err := m.volumeAt(ctx, in.Path)
	if err != nil {
		return err
	}
	_, err = m.Volumes.UpdateVolume(ctx, refOf(v), func(v *pool.Volume) error {
		if name := asked[string](c, "ElementName"); name != nil {
			v.Name = *name
		}
		return nil
	})
	return err
}

// groupWriter changes and deletes groups.
func (m *model) groupWriter() *writer {
	return &writer{
		class: classReplicationGroup, role: cim.RoleOperator,
		accepts: []string{"ElementName", "Persistent", "DeleteOnEmptyElement", "DeleteOnUnassociated"},
		modify:  m.editGroup, remove: m.deleteGroup,
	}
}

func (m *model) editGroup(ctx context.Context, in *cim.Instance, c changes) error {
	for _, flag := range []string{"Persistent", "DeleteOnEmptyElement", "DeleteOnUnassociated"} {
		if c.has(flag) && c.value(flag) == nil {
			return cim.Errorf(cim.StatusInvalidParameter, "%s: a value is needed", flag)
		}
	}
	g, err := m.groupAt(ctx, in.Path)
	if err != nil {
		return err
	}
	return m.Editor.EditGroup(ctx, g.ID, replication.GroupEdit{
		Name:                 asked[string](c, "ElementName"),
		Persistent:           asked[bool](c, "Persistent"),
		DeleteOnEmptyElement: asked[bool](c, "DeleteOnEmptyElement"),
		DeleteOnUnassociated: asked[bool](c, "DeleteOnUnassociated"),
	})
}

// deleteGroup does what DeleteGroup does without RemoveElements.
func (m *model) deleteGroup(ctx context.Context, p *cim.Path) error {
	g, err := m.groupAt(ctx, p)
	if err != nil {
		return err
	}
	if len(g.Members) > 0 {
		return cim.Errorf(cim.StatusFailed, "group %s has %d members: call DeleteGroup of %s with RemoveElements to delete it all the same", g.Name, len(g.Members), classReplicationSvc)
	}
	return m.Groups.DeleteGroup(ctx, g.ID)
}

// endOf is how relationships end.
const endOf = "ModifyReplicaSynchronization of " + classReplicationSvc + " with Detach (8), Dissolve (9) or Return To ResourcePool (19)"

// pairWriter changes relationships.
func (m *model) pairWriter() *writer {
	return &writer{
		class: classStorageSynced, role: cim.RoleOperator, accepts: []string{"RelationshipName", "CopyPriority"},
		modify: m.editPair, remove: removeBy(classStorageSynced, endOf),
	}
}

func (m *model) editPair(ctx context.Context, in *cim.Instance, c changes) error {
	r, err := m.pairAt(ctx, in.Path)
	if err != nil {
		return err
	}
	e := replication.RelationshipEdit{Name: asked[string](c, "RelationshipName")}
	if n := asked[uint64](c, "CopyPriority"); n != nil {
		e.CopyPriority = new(uint16(*n)) // within the range of its type
	}
	return m.Editor.EditRelationship(ctx, r.ID, e)
}

// tieWriter renames group relationships.
func (m *model) tieWriter() *writer {
	return &writer{
		class: classGroupSynced, role: cim.RoleOperator, accepts: []string{"RelationshipName"},
		modify: func(ctx context.Context, in *cim.Instance, c changes) error {
			g, err := m.tieAt(ctx, in.Path)
			if err != nil {
				return err
			}
			name, _ := c.value("RelationshipName").(string)
			return m.Editor.RenameGroupRelationship(ctx, g.ID, name)
		},
		remove: removeBy(classGroupSynced, endOf),
	}
}

// jobWriter forgets jobs that have ended.
func (m *model) jobWriter() *writer {
	return &writer{class: classConcreteJob, role: cim.RoleOperator, remove: func(ctx context.Context, p *cim.Path) error {
		j, err := m.jobAt(ctx, p)
		if err != nil {
			return err
		}
		return m.Jobs.DeleteJob(ctx, j.ID)
	}}
}
