"""From judgements to verdicts, waivers and the gate."""
