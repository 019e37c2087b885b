"""Speech recognition with recurrent acoustic models: waveform to MFCC to CTC to text."""
