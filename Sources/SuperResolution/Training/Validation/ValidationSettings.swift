/// How much validations do by the metrics of ``Evaluation``: on few crops and samples, so that they cost little beside training.
package struct ValidationSettings: Sendable, Codable, Equatable {
    /// Fixed crops of the validation data; 0 to judge by the loss alone.
    package var crops: Int
    /// Of each crop, by systems that diffuse.
    package var samples: Int
    /// Denoising steps a sample; as many as `sr infer` takes judge what its users get.
    package var steps: Int

    func check(_ check: Check) throws {
        try check((0...4096).contains(crops), "0 … 4096 crops", crops)
        try check((1...1000).contains(samples), "1 … 1000 samples", samples)
        try check((1...1000).contains(steps), "1 … 1000 steps", steps)
    }
}
