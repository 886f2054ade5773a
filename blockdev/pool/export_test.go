package pool

// SettleLimit makes cfg one whose tops are frozen before they are merged when they
// are larger than n bytes.
func SettleLimit(cfg Config, n int64) Config {
	cfg.settleLimit = n
	return cfg
}
