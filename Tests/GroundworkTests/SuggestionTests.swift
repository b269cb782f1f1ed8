import Groundwork
import Testing

@Suite struct SuggestionTests {
    @Test func mistypedWords() {
        let known = ["width", "heads", "multipliers", "latent_channels"]
        #expect(suggestion(for: "widht", among: known) == "width")
        #expect(suggestion(for: "head", among: known) == "heads")
        #expect(suggestion(for: "latent_chanels", among: known) == "latent_channels")
        #expect(suggestion(for: "learning_rate", among: known) == nil)
        #expect(suggestion(for: "", among: []) == nil)
    }

    @Test func unknownKeys() {
        let near = Failure.unknownKey("network.unet.widht", known: ["width", "heads"], at: "a.yaml")
        #expect(near.category == .configuration && near.location == "a.yaml" && near.problem == "unknown key network.unet.widht")
        #expect(near.remedy == "did you mean network.unet.width?")
        #expect(Failure.unknownKey("other", known: ["width", "heads"], at: "a.yaml").remedy == "known keys are heads, width")
    }
}
