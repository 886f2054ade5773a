package eventing

import (
	"strings"

	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// readAuth reads how to authenticate at NotifyTo: the profile in e:Delivery, the
// user and the password in the header IssuedTokens (DSP0226 section 10.2.7 and
// annex C).
func readAuth(r *Request, m *soap.Message, _ Limits) error {
	auth := soap.Child(soap.Child(m.Body, wsman.NSEventing, "Delivery"), wsman.NSWSMan, "Auth")
	if auth == nil || r.NotifyTo == nil {
		return nil
	}
	profile, _ := soap.Attr(auth, "", "Profile")
	secure := strings.HasPrefix(r.NotifyTo.Address, "https:")
	switch strings.TrimSpace(profile) {
	case wsman.ProfileHTTPBasic:
	case wsman.ProfileHTTPSBasic:
		if !secure {
			return wsman.UnsupportedFeature(wsman.DetailInsecureAddress, "the security profile needs an https address in NotifyTo")
		}
	default:
		return wsman.UnsupportedFeature(wsman.DetailAuthorization, "the security profile %.200q is not served, only http/basic and https/basic", profile)
	}
	if soap.Child(auth, wsman.NSWSMan, "CertificateThumbprint") != nil {
		return wsman.UnsupportedFeature(wsman.DetailAuthorization, "thumbprints of certificates are not served")
	}
	r.Credentials = findToken(soap.Child(m.Header, wsman.NSTrust, "IssuedTokens"), r.NotifyTo.Address)
	if r.Credentials == nil {
		return wsman.UnsupportedFeature(wsman.DetailSecurityToken, "the header IssuedTokens has no user name and password for NotifyTo")
	}
	return nil
}

// findToken is the token for an address; one that does not say applies to all.
func findToken(tokens *soap.Element, address string) *Credentials {
	for t := range soap.Children(tokens) {
		epr := soap.Child(soap.Child(t, "", "AppliesTo"), "", "EndpointReference")
		if to := soap.ChildText(epr, "", "Address"); to != "" && to != address {
			continue
		}
		user := soap.Child(soap.Child(t, wsman.NSTrust, "RequestedSecurityToken"), wsman.NSSecurity, "UsernameToken")
		c := &Credentials{
			User:     soap.ChildText(user, wsman.NSSecurity, "Username"),
			Password: soap.RawText(soap.Child(user, wsman.NSSecurity, "Password")),
		}
		if c.User != "" && !strings.ContainsAny(c.User, ":\r\n") {
			return c
		}
	}
	return nil
}
