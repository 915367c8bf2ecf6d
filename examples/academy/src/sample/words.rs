//! The words the sample data set is made of.

pub(super) const FIRST_NAMES: &[&str] = &[
    "Ada", "Amir", "Beatriz", "Chen", "Dana", "Elif", "Farid", "Grace", "Hana", "Ines", "Jonas", "Kofi",
    "Lena", "Mateo", "Nadia", "Omar", "Priya", "Quinn", "Rosa", "Sami", "Tomas", "Uma", "Viktor", "Wanda",
    "Yuki", "Zoe",
];

pub(super) const LAST_NAMES: &[&str] = &[
    "Adler", "Bauer", "Costa", "Dubois", "Eriksen", "Fischer", "Garcia", "Haddad", "Ivanov", "Jensen", "Kim",
    "Lopez", "Moreau", "Novak", "Okafor", "Park", "Rossi", "Silva", "Tanaka", "Weber",
];

/// Title, description, category, minutes.
pub(super) const MISSIONS: &[(&str, &str, &str, &str)] = &[
    (
        "Say hello to a neighbour",
        "Greet somebody who lives near you and ask how their day is.",
        "smalltalk",
        "5 minutes",
    ),
    (
        "Ask for a recommendation",
        "Ask a barista or a shopkeeper what they would pick, and why.",
        "smalltalk",
        "5 minutes",
    ),
    ("Give an honest compliment", "Tell somebody what you like about their work.", "kindness", "5 minutes"),
    ("Order by phone", "Call a restaurant and order instead of using an app.", "everyday", "10 minutes"),
    ("Join a lunch table", "Sit with colleagues you do not know well.", "work", "30 minutes"),
    ("Speak up in a meeting", "Share one thought in a meeting of five people or more.", "work", "1 hour"),
    (
        "Invite a friend for coffee",
        "Name a day and a place; do not wait to be asked.",
        "friends",
        "15 minutes",
    ),
    (
        "Introduce two people",
        "Bring two people together who should know each other.",
        "friends",
        "15 minutes",
    ),
    ("Visit a meetup", "Stay for at least half an hour and talk to two people.", "events", "2 hours"),
    ("Tell a story", "Tell a group something that happened to you this week.", "events", "15 minutes"),
    ("Disagree politely", "Say that you see it differently, and explain how.", "assertiveness", "10 minutes"),
    ("Ask a question in public", "Ask the speaker something after a talk.", "assertiveness", "10 minutes"),
];

pub(super) const TIPS: &[&str] = &[
    "Breathe out slowly before you begin.",
    "Open with a question; people like to answer.",
    "Nobody else keeps score.",
    "It counts when you tried.",
    "Keep it short; leave while it is going well.",
];

pub(super) const MOODS: &[&str] = &["calm", "proud", "nervous", "happy", "tired", "curious", "hopeful"];

pub(super) const OPENINGS: &[&str] = &[
    "Today I talked to",
    "I almost walked past",
    "This morning I called",
    "After work I met",
    "I finally wrote to",
    "On the train I sat beside",
];

pub(super) const PEOPLE: &[&str] = &[
    "the neighbour from downstairs",
    "a colleague from the other team",
    "an old friend",
    "somebody new at the gym",
    "the woman who runs the bakery",
    "my cousin",
];

pub(super) const ENDINGS: &[&str] = &[
    "It went better than I had feared.",
    "We laughed a lot.",
    "My voice shook, and nobody minded.",
    "I want to do that again next week.",
    "It was awkward for a minute, then it was fine.",
    "I left early, but I went.",
];

pub(super) const PROMPTS: &[&str] = &[
    "What went well today?",
    "Who did you notice today?",
    "What would you try again?",
    "What felt easier than before?",
];

pub(super) const TAGS: &[&str] = &["work", "friends", "family", "small-talk", "courage", "rest", "gratitude"];

pub(super) const INTERESTS: &[&str] =
    &["climbing", "cooking", "film", "gardening", "music", "pottery", "running", "chess"];

pub(super) const GOALS: &[&str] = &[
    "Speak in every team meeting",
    "Make one new friend",
    "Host a dinner",
    "Call instead of texting",
    "Join a choir",
];

pub(super) const THEMES: &[&str] = &["light", "dark", "system"];

pub(super) const ICONS: &[&str] = &["star", "flame", "chat", "compass", "leaf", "code", "mountain", "book"];

pub(super) const CATEGORIES: &[&str] = &["smalltalk", "work", "friends", "events", "sports", "culture"];

pub(super) const PLACES: &[&str] =
    &["Café Central", "City library", "Riverside park", "Community hall", "Harbour stage", "Online"];

pub(super) const EVENTS: &[&str] = &[
    "Board games for beginners",
    "Sunday walk",
    "Language exchange",
    "Open kitchen",
    "Choir rehearsal",
    "Book circle",
    "Climbing together",
    "Story night",
    "Neighbourhood breakfast",
    "Pottery evening",
];

pub(super) const ACHIEVEMENTS: &[&str] = &[
    "First hello",
    "A week in a row",
    "Ten entries",
    "Spoke first",
    "Guest of honour",
    "Host",
    "Listener",
    "Storyteller",
    "Early bird",
    "Comeback",
    "Bridge builder",
    "A hundred points",
    "Brave question",
    "Phone call",
    "Second date with a group",
];

pub(super) const SCENARIOS: &[&str] = &[
    "Order a coffee",
    "Return a jacket",
    "Ask for directions",
    "Introduce yourself to the team",
    "Say no to an invitation",
    "Ask for a pay rise",
    "Join a conversation",
    "Complain about noise",
    "Rent a flat",
    "Talk at the bus stop",
    "Call the doctor",
    "Thank a teacher",
];

pub(super) const ROLES: &[&str] = &["barista", "colleague", "neighbour", "landlord", "teacher", "stranger"];

pub(super) const SKILLS: &[&str] =
    &["Python", "Juggling", "Chess", "Sketching", "Public speaking", "Handstand", "Algebra", "Rowing"];

pub(super) const TOPICS: &[&str] = &[
    "Variables and values",
    "Keeping balance",
    "Reading faster",
    "Asking better questions",
    "Lists and loops",
    "Breathing",
    "Perspective",
    "Telling a story",
];

pub(super) const TRACKS: &[&str] = &["Content", "Analytics", "Research", "Automation", "Design", "Support"];

pub(super) const PROJECTS: &[&str] = &[
    "Launch a newsletter",
    "Explain a chart",
    "Summarize interviews",
    "Sort incoming mail",
    "Sketch a logo",
    "Answer a complaint",
    "Plan a campaign",
    "Compare two offers",
];

pub(super) const PRACTICE_SKILLS: &[&str] =
    &["generative_ai", "planning", "prompting", "evaluation", "writing", "data"];

pub(super) const INDUSTRIES: &[&str] = &["retail", "health", "education", "travel", "energy", "media"];

pub(super) const AUDIENCES: &[&str] =
    &["students", "parents", "small shops", "nurses", "travellers", "founders"];
