package cim

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPrincipal(t *testing.T) {
	_, ok := PrincipalFrom(context.Background())
	require.False(t, ok)
	want := Principal{Name: "ann", Role: RoleOperator, Remote: "10.0.0.1:5"}
	got, ok := PrincipalFrom(WithPrincipal(context.Background(), want))
	require.True(t, ok)
	require.Equal(t, want, got)
}
