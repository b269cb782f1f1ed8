import SolarImage
import Testing

@Suite struct ButterworthHighPassTests {
    /// Moduli by scipy 1.17.1: `freqs(*butter(order, 0.1, "highpass", analog=True), worN=[0.02, 0.1, 0.15, 0.5])`.
    @Test(arguments: [
        (1, [0.19611613513818402, 0.7071067811865476, 0.8320502943378436, 0.9805806756909201]),
        (2, [0.03996803834887157, 0.7071067811865476, 0.9138115486202569, 0.9992009587217894]),
        (4, [0.0015999979520039316, 0.7071067811865474, 0.9810437422032621, 0.9999987200024577]),
        (7, [1.2799999998951422e-05, 0.7071067811865478, 0.9982916440177956, 0.9999999999180801]),
    ])
    func gainsAreThoseOfScipy(_ order: Int, _ expected: [Double]) {
        let filter = ButterworthHighPass(cutoff: 0.1, order: order)
        let gains = [0.02, 0.1, 0.15, 0.5].map { filter.gain(at: $0) }
        #expect(zip(gains, expected).allSatisfy { abs($0 - $1) <= 1e-10 * $1 }, "\(gains)")
    }

    @Test func zeroFrequencyIsGone() {
        for (cutoff, order) in [(0.1, 1), (0.5, 2), (1e-3, 9), (1e-200, 3), (1e200, 5)] {
            #expect(ButterworthHighPass(cutoff: cutoff, order: order).gain(at: 0) == 0)
        }
        #expect(ButterworthHighPass(cutoff: 1e-200, order: 3).gain(at: 0.01) == 1)
        #expect(ButterworthHighPass(cutoff: 1e200, order: 5).gain(at: 0.7) == 0)
    }

    @Test func gainGrowsWithFrequency() {
        for order in [1, 2, 5, 20] {
            let filter = ButterworthHighPass(cutoff: 0.2, order: order)
            let gains = (1...70).map { filter.gain(at: Double($0) / 100) }
            #expect(zip(gains, gains.dropFirst()).allSatisfy { $0 <= $1 } && gains.allSatisfy { $0 > 0 && $0 <= 1 })
            #expect(gains[9] < 0.5 && gains[39] > 0.89)
        }
    }
}
