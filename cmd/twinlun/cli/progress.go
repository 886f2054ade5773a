package cli

import (
	"fmt"
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows how far something is. After end nothing is shown.
type progress interface {
	show(what string, percent uint64)
	end()
}

// newProgress is a bar on a terminal and lines elsewhere.
func (a *app) newProgress() progress {
	if f, ok := a.Err.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return &bar{w: a.Err}
	}
	return &lines{w: a.Err}
}

// bar is drawn over itself. There is none before the first show.
type bar struct {
	w     io.Writer
	drawn *progressbar.ProgressBar
}

func (b *bar) show(what string, percent uint64) {
	if b.drawn == nil {
		b.drawn = progressbar.NewOptions(100, progressbar.OptionSetWriter(b.w), progressbar.OptionSetDescription(text(what)),
			progressbar.OptionSetPredictTime(true), progressbar.OptionSetWidth(40))
	}
	_ = b.drawn.Set64(int64(min(percent, 100)))
}

// end leaves the bar where it is and goes on below it.
func (b *bar) end() {
	if b.drawn == nil {
		return
	}
	_ = b.drawn.Exit()
	b.drawn = nil
	fmt.Fprintln(b.w)
}

// lines prints a line for the first percentage, for each ten percent, and for the
// end.
type lines struct {
	w    io.Writer
	next uint64
}

func (l *lines) show(what string, percent uint64) {
	if percent < l.next {
		return
	}
	fmt.Fprintf(l.w, "%s: %d %%\n", text(what), percent)
	l.next = percent - percent%10 + 10
}

func (l *lines) end() {}
