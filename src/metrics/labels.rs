//! The closed sets of label values. No label of a metric ever comes from input.

/// An enum whose variants are the values of one label.
macro_rules! label {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// Every value, in the order in which they are shown.
            pub const ALL: &'static [$name] = &[$($name::$variant,)+];

            /// The label's value.
            pub fn name(self) -> &'static str {
                match self {
                    $($name::$variant => $text,)+
                }
            }

            pub(super) fn index(self) -> usize {
                self as usize
            }
        }
    };
}

label! {
    /// Why a record was not passed on.
    DropReason {
        /// There was no rule set to redact it with.
        NoRules = "no_rules",
        /// The buffer was full and the operator chose to drop the newest.
        QueueFull = "queue_full",
        /// A source that must not wait had waited for as long as it may.
        Stalled = "stalled",
        /// The receiver refuses it for good.
        Rejected = "rejected",
        /// The writer cut the file before it could be read.
        Truncated = "truncated",
        /// The receiver did not take it for as long as it was to be tried.
        Expired = "expired",
        /// The time to stop ran out.
        Shutdown = "shutdown",
        /// There is a bug.
        Failed = "failed",
    }
}

label! {
    /// Why something could not be looked at; it was masked whole.
    UninspectedReason {
        /// A rule failed on it.
        RuleFailed = "rule_failed",
        /// It is not what its framing says it is.
        Malformed = "malformed",
        /// Its encoding cannot be undone.
        Undecodable = "undecodable",
        /// It is longer or deeper than the limits allow.
        OverLimit = "over_limit",
    }
}

label! {
    /// Why something went on as it was although it was looked at, or without a look.
    BypassReason {
        /// The pipeline only audits.
        Audit = "audit",
        /// The operator excepted it.
        Excepted = "excepted",
    }
}

label! {
    /// Why a listener turned a peer away.
    RefuseReason {
        /// As many connections as are allowed are open.
        Connections = "connections",
        /// A message or record is too large.
        TooLarge = "too_large",
        /// The peer was too slow.
        Timeout = "timeout",
        /// What came is not the protocol.
        Malformed = "malformed",
        /// The buffers are full.
        Overloaded = "overloaded",
        /// The peer may not.
        Unauthorized = "unauthorized",
        /// No secure connection came about.
        Tls = "tls",
    }
}

label! {
    /// What went wrong with a sink.
    SinkError {
        /// It cannot be reached.
        Connect = "connect",
        /// It went away.
        Write = "write",
        /// It took too long.
        Timeout = "timeout",
        /// No secure connection came about.
        Tls = "tls",
        /// It said no.
        Rejected = "rejected",
        /// A file or folder cannot be written.
        Disk = "disk",
    }
}
