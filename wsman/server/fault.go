package server

import (
	"context"
	"errors"

	"twinlun/cim"
	"twinlun/wsman"
)

// faultOf is the one translation of errors into faults (DSP0227 section 13). An
// error that it does not know becomes InternalError; its words are for the log.
func faultOf(err error) *wsman.Fault {
	if f, ok := errors.AsType[*wsman.Fault](err); ok {
		return f
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return wsman.TimedOut("the operation did not end within its time").With(err)
	case errors.Is(err, context.Canceled):
		return wsman.EndpointUnavailable("the operation was cancelled").With(err)
	}
	e, ok := errors.AsType[*cim.Error](err)
	if !ok {
		return wsman.InternalError(err)
	}
	f := newFault(wsman.Failed)
	if row, ok := statusFaults()[e.Status]; ok {
		f = row
	} else if errors.Is(e, cim.ErrInUse) {
		f = wsman.Concurrency
	}
	return f("%s", e.Msg).WithCIM(e).With(e.Err)
}

type newFault func(format string, args ...any) *wsman.Fault

// statusFaults are the faults of CIM statuses; the others are Failed.
func statusFaults() map[cim.Status]newFault {
	return map[cim.Status]newFault{
		cim.StatusAccessDenied:              wsman.AccessDenied,
		cim.StatusInvalidNamespace:          wsman.InvalidResourceURI,
		cim.StatusInvalidParameter:          detail(wsman.InvalidParameter, wsman.DetailInvalidValue),
		cim.StatusInvalidClass:              wsman.InvalidResourceURI,
		cim.StatusNotFound:                  wsman.InvalidResourceURI,
		cim.StatusNotSupported:              detail(wsman.UnsupportedFeature, ""),
		cim.StatusAlreadyExists:             wsman.AlreadyExists,
		cim.StatusNoSuchProperty:            detail(wsman.InvalidRepresentation, wsman.DetailInvalidValues),
		cim.StatusTypeMismatch:              detail(wsman.InvalidRepresentation, wsman.DetailInvalidValues),
		cim.StatusQueryLanguageNotSupported: wsman.FilterDialectUnavailable,
		cim.StatusInvalidQuery:              wsman.CannotProcessFilter,
		cim.StatusMethodNotAvailable:        detail(wsman.ActionNotSupported, ""),
		cim.StatusMethodNotFound:            detail(wsman.ActionNotSupported, ""),
		cim.StatusInvalidEnumerationContext: wsman.InvalidEnumerationContext,
		cim.StatusPullHasBeenAbandoned:      wsman.InvalidEnumerationContext,
		cim.StatusInvalidOperationTimeout:   detail(wsman.InvalidHeader, wsman.DetailInvalidTimeout),
		cim.StatusFilteredEnumNotSupported:  wsman.CannotProcessFilter,
		cim.StatusServerLimitsExceeded:      wsman.QuotaLimit,
		cim.StatusServerIsShuttingDown:      wsman.EndpointUnavailable,
	}
}

// detail fills in the first argument of a fault's constructor.
func detail(f func(detail, format string, args ...any) *wsman.Fault, d string) newFault {
	return func(format string, args ...any) *wsman.Fault { return f(d, format, args...) }
}

// selectorFault is err where the keys of a path are what can be wrong with it.
func selectorFault(err error) error {
	e, ok := errors.AsType[*cim.Error](err)
	if !ok || e.Status != cim.StatusInvalidParameter {
		return err
	}
	return wsman.InvalidSelectors(wsman.DetailInsufficientSelectors, "%s", e.Msg).WithCIM(e).With(e.Err)
}

// resultOf names a fault in metrics and logs.
func resultOf(f *wsman.Fault) string {
	if f.Subcode.Local != "" {
		return f.Subcode.Local
	}
	return string(f.Code)
}
