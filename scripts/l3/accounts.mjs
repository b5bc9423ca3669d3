// Anvil's accounts in the roles of a test deployment. No two roles share an account.
import { mnemonicToAccount } from "viem/accounts";
import { toHex } from "viem";

const MNEMONIC = "test test test test test test test test test test test junk";

function account(index) {
  const account = mnemonicToAccount(MNEMONIC, { addressIndex: index });
  return { address: account.address, key: toHex(account.getHdKey().privateKey), account };
}

export const roles = {
  deployer: account(0),
  owner: account(1),
  validator: account(2),
  batchPoster: account(3),
  members: [account(4), account(5), account(6)],
  user: account(7),
  stranger: account(8),
  operator: account(9),
};
