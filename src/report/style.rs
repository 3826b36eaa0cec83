//! Colours for terminals, or none.

/// Whether text is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Plain text.
    Plain,
    /// ANSI colours.
    Color,
}

impl Style {
    fn paint(self, code: &str, text: &str) -> String {
        match self {
            Style::Plain => text.to_owned(),
            Style::Color => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }

    pub(super) fn strong(self, text: &str) -> String {
        self.paint("1", text)
    }

    pub(super) fn rule(self, text: &str) -> String {
        self.paint("36", text)
    }

    pub(super) fn placeholder(self, text: &str) -> String {
        self.paint("1;30;43", text)
    }

    pub(super) fn removed(self, text: &str) -> String {
        self.paint("31", text)
    }

    pub(super) fn added(self, text: &str) -> String {
        self.paint("32", text)
    }

    pub(super) fn hunk(self, text: &str) -> String {
        self.paint("36", text)
    }
}
