//! Where text and reasoning go. An answer of this API has one text and, beside it, at most one text of reasoning, so what
//! the model said in several places is put together here: the same way piece by piece and as a whole.

use crate::codec::{Echo, ReasoningStyle};

/// One of the two texts of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// `content`.
    Content,
    /// `reasoning_content`.
    Reasoning,
}

/// Puts pieces into lanes.
#[derive(Debug)]
pub(super) struct Weave {
    style: ReasoningStyle,
    /// The last piece was reasoning inside the content.
    inside: bool,
    content: Strand,
    reasoning: Strand,
}

/// What was written into a lane.
#[derive(Debug, Default)]
struct Strand {
    begun: bool,
    /// Something else came since; an empty line parts what follows from what was there.
    parted: bool,
}

impl Strand {
    /// Writes the empty line where one is needed.
    fn resume(&mut self, lane: Lane, put: &mut impl FnMut(Lane, &str)) {
        if self.begun && self.parted {
            put(lane, "\n\n");
        }
        (self.begun, self.parted) = (true, false);
    }
}

impl Weave {
    pub(super) fn new(echo: &Echo) -> Self {
        let style = if echo.show_thinking { echo.reasoning } else { ReasoningStyle::Removed };
        Self { style, inside: false, content: Strand::default(), reasoning: Strand::default() }
    }

    /// A piece of visible text.
    pub(super) fn text(&mut self, piece: &str, put: &mut impl FnMut(Lane, &str)) {
        if piece.is_empty() {
            return;
        }
        self.close(put);
        self.content.resume(Lane::Content, put);
        self.reasoning.parted = true;
        put(Lane::Content, piece);
    }

    /// A piece of reasoning.
    pub(super) fn thinking(&mut self, piece: &str, put: &mut impl FnMut(Lane, &str)) {
        if piece.is_empty() {
            return;
        }
        match self.style {
            ReasoningStyle::Removed => {}
            ReasoningStyle::Content => {
                self.reasoning.resume(Lane::Reasoning, put);
                put(Lane::Reasoning, piece);
            }
            ReasoningStyle::Tagged | ReasoningStyle::Plain => {
                if !self.inside {
                    self.inside = true;
                    self.content.parted = true;
                    self.content.resume(Lane::Content, put);
                    if self.style == ReasoningStyle::Tagged {
                        put(Lane::Content, "<thinking>");
                    }
                }
                put(Lane::Content, piece);
            }
        }
    }

    /// Something that is neither: a call, a search, the end.
    pub(super) fn other(&mut self, put: &mut impl FnMut(Lane, &str)) {
        self.close(put);
        self.content.parted = true;
        self.reasoning.parted = true;
    }

    fn close(&mut self, put: &mut impl FnMut(Lane, &str)) {
        if self.inside {
            self.inside = false;
            self.content.parted = true;
            if self.style == ReasoningStyle::Tagged {
                put(Lane::Content, "</thinking>");
            }
        }
    }
}
