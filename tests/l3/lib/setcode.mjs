// EIP-7702 transactions, which ethers 5 does not make.
import { ethers } from "ethers";

const { RLP, keccak256, hexConcat, hexlify, stripZeros } = ethers.utils;
const num = (v) => hexlify(stripZeros(ethers.BigNumber.from(v).toHexString()));
const sig = (wallet, digest) => {
  const { recoveryParam, r, s } = wallet._signingKey().signDigest(digest);
  return [num(recoveryParam), num(r), num(s)];
};

/** `wallet` calls `to` and makes `delegate` its own code: its nonce counts twice. */
export async function signSetCode(wallet, { to, delegate, chainId, maxFeePerGas, gasLimit = 200000 }) {
  const nonce = await wallet.getTransactionCount();
  const auth = [num(chainId), delegate, num(nonce + 1)];
  const signed = [...auth, ...sig(wallet, keccak256(hexConcat(["0x05", RLP.encode(auth)])))];
  const fields = [num(chainId), num(nonce), "0x", num(maxFeePerGas), num(gasLimit), to, "0x", "0x", [], [signed]];
  const digest = keccak256(hexConcat(["0x04", RLP.encode(fields)]));
  return hexConcat(["0x04", RLP.encode([...fields, ...sig(wallet, digest)])]);
}
