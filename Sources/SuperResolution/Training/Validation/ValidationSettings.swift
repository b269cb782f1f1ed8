/// How much validations do by the metrics of ``Evaluation``: on few crops, samples and denoising steps, so that they cost little beside training.
package struct ValidationSettings: Sendable, Codable, Equatable {
    /// Fixed crops of the validation data; 0 to judge by the loss alone.
    package var crops: Int
    /// Of each crop, by systems that diffuse.
    package var samples: Int
    /// Denoising steps a sample. With fewer than `sr infer` takes, samples of a model that learned more may lack more power at fine scales.
    package var steps: Int

    func check(_ check: Check) throws {
        try check((0...4096).contains(crops), "0 … 4096 crops", crops)
        try check((1...1000).contains(samples), "1 … 1000 samples", samples)
        try check((1...1000).contains(steps), "1 … 1000 steps", steps)
    }
}
