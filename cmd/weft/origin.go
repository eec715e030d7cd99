package main

import (
	"errors"
	"fmt"
	"net"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/weft-profiler/weft/workload"
	"github.com/weft-profiler/weft/workload/origin"
)

func originCommand() *cobra.Command {
	cfg := origin.DefaultConfig()
	cfg.Version = version
	cfg.Listen = "127.0.0.1:8080"
	cmd := &cobra.Command{
		Use:   "origin",
		Short: "Serve the pages that weft compare fetches",
		Long: "Serves price pages after a set latency until it is interrupted, for weft compare --url on this or\n" +
			"another machine. It serves one weft compare at a time and refuses another one, because what it counts\n" +
			"is of one trial. Whoever reaches the address can control it: listen on other than the loopback\n" +
			"interface only in a network that you trust.",
		Example: "  weft origin --listen 127.0.0.1:8080 --latency 290ms\n" +
			"  weft compare --url http://127.0.0.1:8080",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOrigin(cfg); err != nil {
				return err
			}
			err := origin.Serve(cmd.Context(), cfg, func(address net.Addr) {
				fmt.Fprintf(cmd.OutOrStdout(), "origin at http://%s (%v latency), Ctrl-C ends it\n", address, cfg.Latency)
			})
			if network := (*net.OpError)(nil); errors.As(err, &network) && network.Op == "listen" {
				return fmt.Errorf("%w: choose another address with --listen HOST:PORT", err)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&cfg.Listen, "listen", cfg.Listen, "address `HOST:PORT`; port 0 takes a free one")
	originFlags(cmd.Flags(), &cfg)
	return cmd
}

// checkOrigin refuses what can't be, and what would fail each request.
func checkOrigin(cfg origin.Config) error {
	if err := cfg.CheckValid(); err != nil {
		return usage(err)
	}
	if longest := cfg.Latency + cfg.Jitter; longest >= workload.DefaultTimeout {
		return usagef("latency %v and jitter %v: a request fails after %v: make them less together", cfg.Latency, cfg.Jitter, workload.DefaultTimeout)
	}
	return nil
}

// originFlags are the flags on how an origin answers, the same for an origin of one's own.
func originFlags(flags *pflag.FlagSet, cfg *origin.Config) {
	flags.DurationVar(&cfg.Latency, "latency", cfg.Latency, "from a request to its answer")
	flags.DurationVar(&cfg.Jitter, "jitter", cfg.Jitter, "latency varies by up to this, both ways, fixed by page")
	flags.IntVar(&cfg.PageBytes, "page-size", cfg.PageBytes, "`BYTES` of each page")
	flags.Float64Var(&cfg.Rate, "rate", cfg.Rate, "most `PAGES` answered a second, 0 is no limit")
}
