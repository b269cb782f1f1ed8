import Groundwork
import SolarImage

extension Image {
    /// Refuses what a model made of a field if it is not finite where the field is: NaN stands for pixels without data.
    /// - Parameters:
    ///   - low: the field, smaller by `factor` along both axes.
    ///   - model: its file, for messages.
    /// - Throws: `Failure` (`.badData`)
    func requireFinite(whereFinite low: Image, factor: Int, by model: String?) throws {
        var wrong = 0
        for y in 0..<height {
            for x in 0..<width where !self[x, y].isFinite && low[x / factor, y / factor].isFinite { wrong += 1 }
        }
        guard wrong > 0 else { return }
        throw Failure(
            .badData, "the result is not finite", expected: "finite values wherever the input has some",
            found: "\(wrong) of \(pixels.count) pixels that are not, by \(model.map { "the model \($0)" } ?? "the model")",
            remedy: "the model is damaged, or does not suit the input; fetch it or train it again")
    }
}
